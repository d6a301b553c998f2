//! Watches and observations whose items are traced and counted.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use reception_core::{
    BoxStream, Change, ElectionName, Leader, Observation, Result, ServiceName, Snapshot, Watcher,
};
use tracing::debug;

use crate::count;

pub(crate) struct ObservedWatcher {
    backend: &'static str,
    service: ServiceName,
    inner: Box<dyn Watcher>,
}

impl ObservedWatcher {
    pub(crate) fn new(backend: &'static str, service: ServiceName, inner: Box<dyn Watcher>) -> Self {
        Self { backend, service, inner }
    }

    fn saw(&self, item: &Result<Change>) {
        let Self { backend, service, .. } = self;
        let count = |name| count::item(backend, "watch", name);
        match item {
            Ok(Change::Reset(view)) => {
                let (revision, instances) = (view.revision(), view.len());
                count("reset");
                debug!(target: "reception_observe", backend, operation = "watch", %service, revision, instances, "reset");
            }
            Ok(Change::Patch(patch)) => {
                let (revision, upserted, removed) =
                    (patch.revision(), patch.upserted().len(), patch.removed().len());
                count("patch");
                debug!(target: "reception_observe", backend, operation = "watch", %service, revision, upserted, removed, "patch");
            }
            Ok(Change::Stale(error)) => {
                count("stale");
                debug!(target: "reception_observe", backend, operation = "watch", %service, %error, "stale");
            }
            Ok(_) => count("other"),
            Err(error) => {
                count("end");
                debug!(target: "reception_observe", backend, operation = "watch", %service, %error, "watch ended");
            }
        }
    }
}

impl Stream for ObservedWatcher {
    type Item = Result<Change>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.inner).poll_next(cx);
        if let Poll::Ready(Some(item)) = &polled {
            self.saw(item);
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl Watcher for ObservedWatcher {
    fn current(&self) -> Option<&Snapshot> {
        self.inner.current()
    }
}

impl fmt::Debug for ObservedWatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

pub(crate) struct Observing {
    backend: &'static str,
    election: ElectionName,
    inner: BoxStream<Result<Observation>>,
}

impl Observing {
    pub(crate) fn new(
        backend: &'static str,
        election: ElectionName,
        inner: BoxStream<Result<Observation>>,
    ) -> Self {
        Self { backend, election, inner }
    }

    fn saw(&self, item: &Result<Observation>) {
        let Self { backend, election, .. } = self;
        let count = |name| count::item(backend, "observe", name);
        match item {
            Ok(Observation::Leader(leader)) => {
                count("leader");
                self.saw_leader(leader);
            }
            Ok(Observation::Vacant) => {
                count("vacant");
                debug!(target: "reception_observe", backend, operation = "observe", %election, "vacant");
            }
            Ok(Observation::Stale(error)) => {
                count("stale");
                debug!(target: "reception_observe", backend, operation = "observe", %election, %error, "stale");
            }
            Ok(_) => count("other"),
            Err(error) => {
                count("end");
                debug!(target: "reception_observe", backend, operation = "observe", %election, %error, "observation ended");
            }
        }
    }

    fn saw_leader(&self, leader: &Leader) {
        let Self { backend, election, .. } = self;
        let token = leader.token();
        // The value of a foreign leader may be anything, a secret too: it is not shown.
        let service = leader.service().map(|service| service.name().as_str());
        let id = leader.service().map(|service| service.id().as_str());
        debug!(target: "reception_observe", backend, operation = "observe", service, id, %election, %token, "leader");
    }
}

impl Stream for Observing {
    type Item = Result<Observation>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.inner.as_mut().poll_next(cx);
        if let Poll::Ready(Some(item)) = &polled {
            self.saw(item);
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}
