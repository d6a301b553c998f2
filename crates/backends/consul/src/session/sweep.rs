//! What a closing client has registered, withdrawn together: one question what there is, one request for each, and one look that all is gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception_core::{ErrorKind, Result};
use tokio::sync::Mutex;

use super::{
    Session, WRITES,
    inventory::{marked, ours},
};
use crate::{
    api::{Found, parse},
    error::{error, is_about_us},
    http::{Call, Path},
    layout::registration_of,
};

const OPERATION: &str = "close";
const LOOK: Duration = Duration::from_millis(10);
/// So many times as long as one request may take, as long as it goes on: an agent needs some milliseconds for each of thousands.
const LONG: u32 = 10;

/// Done once for all that wait for it.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    done: Mutex<State>,
    /// What was withdrawn so far.
    gone: AtomicUsize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unasked,
    Begun,
    Done,
}

impl Sweep {
    /// Withdraws every registration of a client that closes.
    pub(crate) async fn all(&self, session: &Arc<Session>) -> Result<()> {
        let mut state = self.done.lock().await;
        if *state == State::Done {
            return Ok(());
        }
        *state = State::Begun;
        // Writes of ours may be under way.
        for id in session.lines.ids() {
            session.http.still(&id).await;
        }
        let limit = session.timeout();
        let path = Path::of("agent/services").with("filter", &ours(session));
        let answer = session.http.ask(&Call::get(OPERATION, path).own(), limit).await?;
        let found: std::collections::BTreeMap<String, Found> =
            parse(OPERATION, "listing what is ours", &answer.body)?;
        let marked = marked(session, found.into_values());
        let astray = session.lines.ids().iter().any(|id| !marked.contains_key(id));
        stream::iter(marked.into_keys())
            .map(|id| async move {
                let gone = session.http.agent_deregister(OPERATION, &id, limit).await;
                self.gone.fetch_add(usize::from(gone.is_ok()), Ordering::Relaxed);
                gone
            })
            .buffer_unordered(WRITES)
            .try_collect::<Vec<()>>()
            .await?;
        if astray {
            self.leave_no_check(session).await?;
        }
        session.heart.sweep(session).await?;
        let node = session.node(OPERATION).await?;
        while !session.found(OPERATION, &node).await?.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        *state = State::Done;
        Ok(())
    }

    /// Takes our checks from records that others have written over ours, and that would fail when nobody passes them any more.
    async fn leave_no_check(&self, session: &Arc<Session>) -> Result<()> {
        for check in session.checks(OPERATION).await?.into_keys() {
            if registration_of(&check).is_some_and(|owner| session.lines.has(owner)) {
                match session.http.agent_deregister_check(OPERATION, &check, session.timeout()).await {
                    // What is not allowed costs the others nothing.
                    Err(failed) if !is_about_us(&failed) => return Err(failed),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Goes on with what the registrations had no time for, as long as that gets anywhere.
    pub(crate) async fn rest(&self, session: &Arc<Session>) -> Result<()> {
        let state = *self.done.lock().await;
        if state != State::Begun {
            return Ok(());
        }
        let late = || error(ErrorKind::Timeout, OPERATION, "not all was withdrawn in time");
        if self.gone.load(Ordering::Relaxed) == 0 {
            return Err(late());
        }
        let long = session.timeout().saturating_mul(LONG);
        tokio::time::timeout(long, self.all(session)).await.unwrap_or_else(|_| Err(late()))
    }
}
