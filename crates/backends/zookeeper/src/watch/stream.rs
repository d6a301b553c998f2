//! The events of one recursive watch.

use std::fmt;

use futures_util::FutureExt as _;
use zookeeper_client::{EventType, PersistentWatcher, WatchedEvent};

use crate::session::{Gate, Live};

/// What happened to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It was made or written.
    There(String),
    Gone(String),
    /// The watch is lost, with whatever happened since.
    Broken,
}

pub(super) struct Stream {
    gate: Gate,
    /// Kept when it is lost, until the next one is set: dropped before, it would cost a request to take it off.
    watcher: PersistentWatcher,
    /// The watch is lost: then it must not be read any more.
    broken: bool,
}

impl Stream {
    pub(super) fn new(live: &Live, watcher: PersistentWatcher) -> Self {
        Self { gate: live.gate.clone(), watcher, broken: false }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Nothing that it told is of use.
    pub(super) fn give_up(&mut self) {
        self.broken = true;
    }

    /// Waits for the next event. Cancel safe.
    pub(super) async fn next(&mut self) -> Event {
        if self.broken {
            return Event::Broken;
        }
        let event = self.gate.guard(self.watcher.changed()).await;
        self.take(event)
    }

    /// The next event, if it has come already.
    pub(super) fn ready(&mut self) -> Option<Event> {
        if self.broken {
            return None;
        }
        let event = self.gate.guard(self.watcher.changed()).now_or_never()?;
        Some(self.take(event))
    }

    fn take(&mut self, event: Option<WatchedEvent>) -> Event {
        match event.map(|event| (event.event_type, event.path)) {
            Some((EventType::NodeCreated | EventType::NodeDataChanged, path)) => Event::There(path),
            Some((EventType::NodeDeleted, path)) => Event::Gone(path),
            // A recursive watch tells nothing of children as such.
            Some((EventType::NodeChildrenChanged, path)) => Event::There(path),
            Some((EventType::Session, _)) | None => {
                self.broken = true;
                Event::Broken
            }
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("broken", &self.is_broken()).finish_non_exhaustive()
    }
}
