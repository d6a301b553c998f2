//! The session as the parts of a client see it.

use std::{fmt, sync::Arc, time::Duration};

use reception_core::{Error, ErrorKind, Result};
use zookeeper_client as zk;

use super::{Gate, Session};
use crate::error::error;

/// A session that stands.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) client: zk::Client,
    pub(crate) id: i64,
    pub(crate) gate: Gate,
    /// How long the server keeps it without hearing of us.
    pub(crate) ttl: Duration,
    /// Grows with each time that the link is made.
    pub(crate) turn: u64,
    /// Which one it is on, where that is known.
    pub(crate) server: Option<Arc<str>>,
}

/// How things stand with the store.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    /// There is no session, and why if that was tried.
    Down(Option<Error>),
    /// The session stands and its server answers.
    Up(Live),
    /// The session may stand; no server answers.
    Doubtful(Live, Error),
    /// The client is closing and the session on its way out.
    Leaving,
    /// The client has closed; an error when the session may be left.
    Over(Result<()>),
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("session", &format_args!("{:#x}", self.id))
            .field("ttl", &self.ttl)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The link is made, for the first time or anew.
    pub(super) fn link_is_up(&self, turn: &mut u64) {
        *turn += 1;
        let turn = *turn;
        self.link.send_modify(|link| {
            if let Link::Up(live) | Link::Doubtful(live, _) = &*link {
                *link = Link::Up(Live { turn, ..live.clone() });
            }
        });
    }

    /// No server answers.
    pub(super) fn link_is_broken(&self) {
        let text = format!("the link is broken; tried {}", self.tried());
        let broken = error(ErrorKind::Unavailable, "session", text);
        self.link.send_modify(|link| {
            if let Link::Up(live) = &*link {
                *link = Link::Doubtful(live.clone(), broken);
            }
        });
    }
}
