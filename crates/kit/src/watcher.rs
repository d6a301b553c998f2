//! The streams of the contract over a feed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use reception_core::{BoxStream, Change, Observation, Result, Snapshot, WatchOptions, Watcher};

use crate::{hub::Feed, mailbox::Event, view::Holder};

/// A watcher over the feed of one service.
#[derive(Debug)]
pub struct SnapshotWatcher {
    feed: Feed<Snapshot>,
}

impl SnapshotWatcher {
    /// Shows instances with status Up, or all with `any_status`.
    #[must_use]
    pub fn new(feed: Feed<Snapshot>, options: WatchOptions) -> Self {
        Self { feed: if options.any_status { feed } else { feed.narrowed() } }
    }
}

impl Stream for SnapshotWatcher {
    type Item = Result<Change>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(Pin::new(&mut self.feed).poll_next(context));
        Poll::Ready(item.map(|event| {
            event.map(|event| match event {
                Event::Reset(view) => Change::Reset(view),
                Event::Delta(patch) => Change::Patch(patch),
                Event::Stale(error) => Change::Stale(error),
            })
        }))
    }
}

impl Watcher for SnapshotWatcher {
    fn current(&self) -> Option<&Snapshot> {
        self.feed.view()
    }
}

/// The observation of one election over its feed.
#[must_use]
pub fn observation(feed: Feed<Holder>) -> BoxStream<Result<Observation>> {
    Box::pin(Observing { feed })
}

struct Observing {
    feed: Feed<Holder>,
}

impl Stream for Observing {
    type Item = Result<Observation>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(Pin::new(&mut self.feed).poll_next(context));
        Poll::Ready(item.map(|event| {
            event.map(|event| match event {
                Event::Reset(holder) | Event::Delta(holder) => {
                    holder.0.map_or(Observation::Vacant, Observation::Leader)
                }
                Event::Stale(error) => Observation::Stale(error),
            })
        }))
    }
}
