//! The proof that a new connection serves.
//!
//! The library tells of a connection as soon as the server has taken the session, and takes requests up once a first ping was answered too. When the
//! connection breaks between the two, it tells of that only when another one is made: with a server that cannot be spoken to, never. So a link by which no answer
//! comes in time counts as broken; when nobody else asks anything, this does.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
};

use reception_core::Moment;
use reception_kit::sleep_until;

use super::{Link, Session};

/// What is asked for; it needs no right, and need not be there.
const ROOT: &str = "/";

/// What came of it.
pub(super) enum Heard {
    Answer,
    /// No answer in time; it may still come.
    Nothing,
}

/// A proof that is waited for.
#[derive(Default)]
pub(super) struct Proof {
    asked: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
    due: Option<Moment>,
}

impl Proof {
    /// Of the link that has just been made. Half of the time is for the others, who mostly have something to ask after a break.
    pub(super) fn of(session: &Session) -> Self {
        let Link::Up(live) = &*session.link.borrow() else { return Self::default() };
        let (client, turn) = (live.client.clone(), live.turn);
        let (clock, heard) = (session.clock.clone(), Arc::clone(&session.heard));
        let now = clock.now();
        let (half, due) =
            (now.saturating_add(session.patience() / 2), now.saturating_add(session.patience()));
        let asked = Box::pin(async move {
            sleep_until(&clock, half).await;
            heard.load(Ordering::Acquire) >= turn || client.check_stat(ROOT).await.is_ok()
        });
        Self { asked: Some(asked), due: Some(due) }
    }

    /// What comes next of it, if anything does: a request that fails leaves the word to the library.
    ///
    /// Cancel safe.
    pub(super) async fn heard(&mut self, session: &Session) -> Heard {
        let Some(asked) = &mut self.asked else { return std::future::pending().await };
        let late = async {
            match self.due {
                Some(due) => sleep_until(&session.clock, due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            answered = asked => {
                *self = Self::default();
                if answered { Heard::Answer } else { std::future::pending().await }
            }
            () = late => {
                self.due = None;
                Heard::Nothing
            }
        }
    }
}
