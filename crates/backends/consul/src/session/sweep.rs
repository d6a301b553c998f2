//! What a closing client has registered, withdrawn together: one question what there is, one request for each, and one look that all is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception_core::{ErrorKind, Result};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    Session, WRITES,
    inventory::{marked, ours},
};
use crate::{
    api::{Found, parse},
    error::{error, passes},
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
        let lines = session.lines.ids();
        for (_, id) in &lines {
            session.http.still(id).await;
        }
        let limit = session.timeout();
        let path = Path::of("agent/services").with("filter", &ours(session));
        let answer = session.http.ask(&Call::get(OPERATION, path).own(), limit).await?;
        let found: BTreeMap<String, Found> = parse(OPERATION, "listing what is ours", &answer.body)?;
        let marked = marked(session, found.into_values());
        let astray: Vec<_> = lines.into_iter().filter(|(_, id)| !marked.contains_key(id)).collect();
        stream::iter(marked.into_keys())
            .map(|id| async move {
                let gone = session.http.agent_deregister(OPERATION, &id, limit).await;
                self.gone.fetch_add(usize::from(gone.is_ok()), Ordering::Relaxed);
                gone
            })
            .buffer_unordered(WRITES)
            .try_collect::<Vec<()>>()
            .await?;
        if !astray.is_empty() {
            leave(session, astray).await?;
        }
        session.heart.sweep(session).await?;
        let node = session.node(OPERATION).await?;
        while !session.found(OPERATION, &node).await?.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        *state = State::Done;
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

/// Leaves records that others have written over ours: they do not carry our mark, but our checks may hang on them.
async fn leave(session: &Arc<Session>, astray: Vec<(Uuid, String)>) -> Result<()> {
    let checks = session.checks(OPERATION).await?;
    let checked: BTreeSet<Uuid> = checks.keys().filter_map(|check| registration_of(check)).collect();
    for (owner, id) in astray.into_iter().filter(|(owner, _)| checked.contains(owner)) {
        match session.leave_id(OPERATION, &id, owner, session.timeout()).await {
            // What is not allowed costs the others nothing.
            Err(failed) if passes(&failed) => return Err(failed),
            _ => {}
        }
    }
    Ok(())
}
