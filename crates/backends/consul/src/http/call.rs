//! What is asked of an agent.

use bytes::Bytes;
use hyper::Method;

use super::Path;

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) method: Method,
    pub(super) path: Path,
    pub(super) body: Bytes,
    pub(super) operation: &'static str,
    /// Not to be carried by another agent than the one that has our registrations.
    pub(super) own: bool,
    /// Not to be sent again when its answer was lost.
    pub(super) once: bool,
    /// Waits for nobody's turn: a leadership depends on it.
    pub(super) urgent: bool,
    /// The agent answers when something changes.
    pub(super) held: bool,
}

impl Call {
    pub(crate) fn get(operation: &'static str, path: Path) -> Self {
        Self {
            method: Method::GET,
            path,
            body: Bytes::new(),
            operation,
            own: false,
            once: false,
            urgent: false,
            held: false,
        }
    }

    pub(crate) fn put(operation: &'static str, path: Path, body: Vec<u8>) -> Self {
        Self {
            method: Method::PUT,
            path,
            body: body.into(),
            operation,
            own: false,
            once: false,
            urgent: false,
            held: false,
        }
    }

    /// Asks the agent that has our registrations, and no other.
    pub(crate) fn own(mut self) -> Self {
        self.own = true;
        self
    }

    /// It is held back until something changes.
    pub(crate) fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// A second one of its kind would do more than the first.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Asks at once, also an agent that gave no answer last time; its caller makes the pauses.
    pub(crate) fn urgent(mut self) -> Self {
        self.urgent = true;
        self.once()
    }
}
