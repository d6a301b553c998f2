//! The passes of the check of elections: each lets those lead on who are bound to it.

use std::{sync::Arc, time::Duration};

use reception_core::{ErrorKind, Moment, Result};
use reception_kit::sleep_until;
use tokio::sync::watch;

use super::{OPERATION, Session, Standing};
use crate::{api::Passed, error::error};

const LONG_AGO: Moment = Moment::from_duration(Duration::ZERO);
/// Between two tries of a pass that failed: a part of the time to live, within these.
const AGAIN: Duration = Duration::from_millis(200);
const MOST_AGAIN: Duration = Duration::from_secs(1);

/// A pass that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// By which agent: a session hangs on the check that stands there, and on no other agent's.
    pub(crate) at: usize,
    /// The moment before.
    pub(crate) sent: Moment,
}

/// What one candidacy hears.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// Where its check stands.
    pub(crate) at: usize,
    pub(super) passed: watch::Receiver<Option<Pass>>,
}

impl Pacer {
    /// The next pass that is acknowledged where its check stands.
    pub(crate) async fn next(&mut self) -> Moment {
        loop {
            if self.passed.changed().await.is_err() {
                return std::future::pending().await;
            }
            let passed = *self.passed.borrow_and_update();
            if let Some(pass) = passed.filter(|pass| pass.at == self.at) {
                return pass.sent;
            }
        }
    }
}

impl Standing {
    /// The last pass, if it is not older than half the time to live; else passes now.
    pub(crate) async fn fresh(&self, session: &Arc<Session>) -> Result<Pass> {
        let last = *self.passed.borrow();
        let half = session.options.election_ttl / 2;
        match last {
            Some(pass) if session.clock.now().saturating_since(pass.sent) < half => Ok(pass),
            _ => self.pass(session).await,
        }
    }

    /// Passes the check; writes it anew when the agent does not know it.
    pub(crate) async fn pass(&self, session: &Arc<Session>) -> Result<Pass> {
        let limit = (session.options.election_ttl / 4).min(session.timeout());
        let pass = Pass { at: session.http.home(), sent: session.clock.now() };
        match session.http.agent_pass(OPERATION, &self.check, true, limit).await? {
            Passed::Yes if session.http.home() == pass.at => {
                self.passed.send_replace(Some(pass));
                Ok(pass)
            }
            Passed::Yes => Err(error(ErrorKind::Unavailable, OPERATION, "another agent has taken over")),
            Passed::Unknown => {
                // Sessions that were bound to it are gone; their owners notice by themselves.
                if !self.members.lock().await.who.is_empty() {
                    self.write(session).await?;
                }
                Err(error(
                    ErrorKind::LeaseLost,
                    OPERATION,
                    "the agent did not know the check of our elections",
                ))
            }
        }
    }
}

/// Passes the check while anybody stands; runs as long as the client.
pub(in crate::session) async fn pace(session: Arc<Session>) {
    let leaving = session.leaving.clone();
    let work = async {
        let standing = &session.standing;
        let mut last = LONG_AGO;
        loop {
            let (none, leads) = {
                let members = standing.members.lock().await;
                (!members.checked, members.who.values().any(|leads| *leads))
            };
            if none {
                standing.changed.notified().await;
                last = LONG_AGO;
                continue;
            }
            let every = session.options.election_ttl / if leads { 4 } else { 2 };
            tokio::select! {
                () = standing.changed.notified() => continue,
                () = sleep_until(&session.clock, last.saturating_add(every)) => {}
            }
            let again = (session.options.election_ttl / 8).clamp(AGAIN, MOST_AGAIN);
            let sent = session.clock.now();
            last = match standing.pass(&session).await {
                Ok(_) => {
                    standing.write_anew(&session).await;
                    sent
                }
                Err(_) => {
                    session.move_on(OPERATION).await;
                    session.clock.now().saturating_add(again).saturating_sub(every)
                }
            };
        }
    };
    tokio::select! {
        () = leaving.cancelled() => {}
        () = work => {}
    }
}
