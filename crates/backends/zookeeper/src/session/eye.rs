//! One watch of the library that fires once.

use std::{fmt, future::poll_fn, pin::Pin};

use zookeeper_client::{EventType, OneshotWatcher, WatchedEvent};

use super::{Gate, Live};

/// What a watch told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It was written or made, or the session has moved and nobody knows.
    Changed,
    /// It was removed.
    Gone,
    /// The session ended, and the watch with it.
    Blind,
}

/// Looks at one path, over breaks of the link too; it ends with its session.
pub(crate) struct Eye {
    gate: Gate,
    /// The session that it is a watch of.
    pub(crate) session: i64,
    event: Pin<Box<dyn Future<Output = WatchedEvent> + Send + Sync>>,
    seen: Option<Seen>,
}

impl Eye {
    pub(crate) fn new(live: &Live, watcher: OneshotWatcher) -> Self {
        Self { gate: live.gate.clone(), session: live.id, event: Box::pin(watcher.changed()), seen: None }
    }

    /// Waits for what it tells, and says the same ever after. Cancel safe.
    pub(crate) async fn next(&mut self) -> Seen {
        if let Some(seen) = self.seen {
            return seen;
        }
        let told = poll_fn(|cx| self.gate.poll(self.event.as_mut(), cx)).await;
        let seen = match told.map(|event| event.event_type) {
            Some(EventType::NodeDeleted) => Seen::Gone,
            Some(EventType::NodeCreated | EventType::NodeDataChanged | EventType::NodeChildrenChanged) => {
                Seen::Changed
            }
            Some(EventType::Session) | None if self.gate.has_moved() => Seen::Changed,
            Some(EventType::Session) | None => Seen::Blind,
        };
        self.seen = Some(seen);
        seen
    }

    /// Whether it has nothing to tell yet.
    pub(crate) fn is_quiet(&mut self) -> bool {
        use futures_util::FutureExt as _;
        self.next().now_or_never().is_none()
    }
}

impl fmt::Debug for Eye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eye")
            .field("session", &self.session)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
