//! A watcher with a flaw.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt};
use reception_core::{Change, Client, ErrorKind, ListOptions, Patch, Result, ServiceName, Snapshot, Watcher};
use reception_memory::MemoryClient;

use crate::{flaw::Flaw, guard::spawn};

#[derive(Debug)]
pub(crate) struct DoubleWatcher {
    flaw: Flaw,
    name: ServiceName,
    inner: Box<dyn Watcher>,
    /// Kept alive, and asked more than it should be.
    upstream: Arc<MemoryClient>,
    view: Option<Snapshot>,
    pending: VecDeque<Result<Change>>,
    stale: bool,
    ended: bool,
}

impl DoubleWatcher {
    pub(crate) fn new(
        flaw: Flaw,
        name: ServiceName,
        inner: Box<dyn Watcher>,
        upstream: Arc<MemoryClient>,
    ) -> Self {
        let (pending, view) = (VecDeque::new(), None);
        Self { flaw, name, inner, upstream, view, pending, stale: false, ended: false }
    }

    fn whole(view: &Snapshot) -> Patch {
        Patch::new(view.revision(), view.iter().cloned(), []).with_unreadable(view.unreadable())
    }

    /// What becomes of an item on its way; may be nothing, may be more than one.
    fn twist(&mut self, change: Change) -> Vec<Change> {
        let stale = std::mem::replace(&mut self.stale, matches!(change, Change::Stale(_)));
        match (self.flaw, change) {
            (Flaw::StartsWithAPatch, Change::Reset(view)) if self.view.is_none() => {
                vec![Change::Patch(Self::whole(&view))]
            }
            (Flaw::SaysNothingWhenEmpty, Change::Reset(view)) if self.view.is_none() && view.is_empty() => {
                Vec::new()
            }
            (Flaw::SaysNothingWhenEmpty, Change::Patch(patch)) if self.view.is_none() => {
                vec![Change::Reset(Snapshot::new(self.name.clone(), 0, []).apply(&patch))]
            }
            (Flaw::DropsRemovals, Change::Patch(patch)) => {
                vec![Change::Patch(Patch::new(patch.revision(), patch.upserted().to_vec(), []))]
            }
            (Flaw::EmptiesOnError, Change::Stale(error)) => {
                vec![Change::Stale(error), Change::Reset(Snapshot::new(self.name.clone(), 0, []))]
            }
            (Flaw::PatchesAfterStale, Change::Reset(view)) if stale => match &self.view {
                Some(have) => vec![Change::Patch(have.diff(&view))],
                None => vec![Change::Reset(view)],
            },
            (Flaw::CountsNoForeignRecords, Change::Reset(view)) => {
                vec![Change::Reset(view.with_unreadable(0))]
            }
            (Flaw::CountsNoForeignRecords, Change::Patch(patch)) => {
                vec![Change::Patch(patch.with_unreadable(0))]
            }
            (Flaw::ListsAtEveryChange, change @ Change::Patch(_)) => {
                let (upstream, name) = (Arc::clone(&self.upstream), self.name.clone());
                spawn(async move { drop(upstream.list_with(&name, ListOptions::default()).await) });
                vec![change]
            }
            (Flaw::ResetsAtEveryChange, Change::Patch(patch)) => {
                self.view.iter().map(|view| Change::Reset(view.apply(&patch))).collect()
            }
            (_, change) => vec![change],
        }
    }

    fn hand_out(&mut self, item: Result<Change>) -> Poll<Option<Result<Change>>> {
        match &item {
            Ok(Change::Reset(view)) => self.view = Some(view.clone()),
            Ok(Change::Patch(patch)) => {
                let view = self.view.take().unwrap_or_else(|| Snapshot::new(self.name.clone(), 0, []));
                self.view = Some(view.apply(patch));
            }
            _ => {}
        }
        Poll::Ready(Some(item))
    }
}

impl Stream for DoubleWatcher {
    type Item = Result<Change>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.pending.pop_front() {
                return this.hand_out(item);
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let item = match this.inner.poll_next_unpin(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(item) => item,
            };
            match (this.flaw, item) {
                (_, None) => this.ended = true,
                (Flaw::EndsWithoutAnError, Some(Err(error))) if error.kind() == ErrorKind::Closed => {
                    this.ended = true;
                }
                (Flaw::EndsOnError, Some(Ok(Change::Stale(error)))) => {
                    this.ended = true;
                    this.pending.push_back(Err(error));
                }
                (_, Some(Ok(change))) => {
                    let twisted = this.twist(change);
                    this.pending.extend(twisted.into_iter().map(Ok));
                }
                (_, Some(Err(error))) => this.pending.push_back(Err(error)),
            }
        }
    }
}

impl Watcher for DoubleWatcher {
    fn current(&self) -> Option<&Snapshot> {
        self.view.as_ref()
    }
}
