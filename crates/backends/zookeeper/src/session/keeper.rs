//! The task that holds the session: makes it, follows its link, makes a new one when it is lost, ends it when the client closes.
//!
//! ```text
//!            ┌───────── lost ──────────┐
//!            ▼                         │
//!  asked ► Down ── connected ► Up ◄► Doubtful
//!            │                 │       │
//!            └──── leaving ────┴───────┴──► Leaving ──► Over
//! ```

use std::{sync::Arc, time::Duration};

use reception_core::{Error, ErrorKind, Result};
use reception_kit::{Backoff, Lifeline, signal};
use zookeeper_client::{self as zk, SessionState};

use super::{Gate, Link, Live, Recipe, Session, gate::supervised};
use crate::error::{NAME, error, native};

const OPERATION: &str = "session";
/// The pauses after a session was lost: whoever waits for the next one waits no longer than this.
const FIRST: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_millis(800);

/// Why a session is over.
enum End {
    Lost(Error),
    Leaving,
}

pub(super) async fn keep(session: Arc<Session>, lifeline: Lifeline) {
    let outcome = hold(&session).await;
    session.link.send_replace(Link::Over(outcome));
    // The supervisor of the library's tasks ends with this.
    drop(lifeline);
}

async fn hold(session: &Session) -> Result<()> {
    let mut unreached = Backoff::new();
    // A server that was reached and lost the session is asked again soon.
    let mut ended = Backoff::with_bounds(FIRST, SOON);
    let mut turn = 0;
    loop {
        let since = session.clock.now();
        let (lost, backoff) = match connect(session, turn + 1).await {
            Ok(live) => {
                turn = live.turn;
                let (gate, id) = (live.gate.clone(), live.id);
                if live.ttl > session.ttl {
                    tracing::warn!(backend = NAME, asked = ?session.ttl, granted = ?live.ttl, "the server grants a longer session");
                }
                let states = live.client.state_watcher();
                session.link.send_replace(Link::Up(live));
                let end = follow(session, &gate, states, &mut turn).await;
                match end {
                    End::Leaving => return leave(session, &gate).await,
                    End::Lost(error) => {
                        gate.cut();
                        session.ended(id);
                        unreached.reset();
                        (error, &mut ended)
                    }
                }
            }
            // A session may have been granted whose answer nobody waited for.
            Err(error) if session.leaving.is_cancelled() => return Err(error),
            Err(error) => (error, &mut unreached),
        };
        signal::reconnecting(NAME, OPERATION, &lost);
        backoff.healthy(since, session.clock.now());
        let pause = backoff.next(&lost);
        session.link.send_replace(Link::Down(Some(lost)));
        tokio::select! {
            biased;
            () = session.leaving.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Makes a session; an error too when the client leaves meanwhile.
async fn connect(session: &Session, turn: u64) -> Result<Live> {
    let gate = Gate::new();
    let (connector, hosts, tls) = match &session.recipe {
        Recipe::Given(client) => {
            return match client.state() {
                SessionState::Expired | SessionState::AuthFailed | SessionState::Closed => {
                    Err(error(ErrorKind::LeaseLost, OPERATION, "the session of the given client is over"))
                }
                _ => Ok(live(client.clone(), gate, turn)),
            };
        }
        Recipe::Dial { connector, hosts, tls, .. } => (zk::Connector::clone(connector), hosts, *tls),
    };
    let connecting = supervised(&session.back, &gate, dial(connector, hosts, tls));
    let left = async {
        session.leaving.cancelled().await;
        // A session that is granted just now is known and ended in order.
        tokio::time::sleep(session.timeout / 4).await;
    };
    tokio::select! {
        biased;
        made = connecting => match made {
            Ok(client) => Ok(live(client, gate, turn)),
            Err(wrong) => Err(unreached(session, wrong)),
        },
        () = left => {
            gate.cut();
            let text = format!("the client closed while it was connecting; tried {}", session.tried());
            Err(error(ErrorKind::Unavailable, "close", text))
        }
    }
}

#[cfg(feature = "tls")]
async fn dial(connector: zk::Connector, hosts: &str, tls: bool) -> Result<zk::Client, zk::Error> {
    if tls { connector.secure_connect(hosts).await } else { connector.connect(hosts).await }
}

#[cfg(not(feature = "tls"))]
async fn dial(connector: zk::Connector, hosts: &str, _tls: bool) -> Result<zk::Client, zk::Error> {
    connector.connect(hosts).await
}

fn live(client: zk::Client, gate: Gate, turn: u64) -> Live {
    Live { id: client.session_id().0, ttl: client.session_timeout(), client, gate, turn }
}

fn unreached(session: &Session, wrong: zk::Error) -> Error {
    match wrong {
        zk::Error::AuthFailed => native(OPERATION, "logging in", wrong),
        _ => {
            let text = format!("no server opened a session; tried {}", session.tried());
            error(ErrorKind::Unavailable, OPERATION, text).with_source(wrong)
        }
    }
}

/// Follows the link of a session that stands.
async fn follow(session: &Session, gate: &Gate, mut states: zk::StateWatcher, turn: &mut u64) -> End {
    // What happened before somebody looked is in no change.
    let mut unseen = Some(states.state()).filter(|state| *state != SessionState::SyncConnected);
    loop {
        let state = match unseen.take() {
            Some(state) => state,
            None => tokio::select! {
                biased;
                () = session.leaving.cancelled() => return End::Leaving,
                () = gate.over() => return End::Lost(lost("the session has ended")),
                state = states.changed() => state,
            },
        };
        match state {
            // Also when nothing was seen of a break: states merge.
            SessionState::SyncConnected | SessionState::ConnectedReadOnly => {
                *turn += 1;
                let turn = *turn;
                session.link.send_modify(|link| {
                    if let Link::Up(live) | Link::Doubtful(live, _) = &*link {
                        *link = Link::Up(Live { turn, ..live.clone() });
                    }
                });
            }
            SessionState::Disconnected => {
                let text = format!("the link is broken; tried {}", session.tried());
                let broken = error(ErrorKind::Unavailable, OPERATION, text);
                session.link.send_modify(|link| {
                    if let Link::Up(live) = &*link {
                        *link = Link::Doubtful(live.clone(), broken);
                    }
                });
            }
            SessionState::AuthFailed => {
                return End::Lost(native(OPERATION, "logging in", zk::Error::AuthFailed));
            }
            SessionState::Expired => return End::Lost(lost("the session has expired")),
            SessionState::Closed => return End::Lost(lost("the session was closed")),
        }
    }
}

fn lost(why: &str) -> Error {
    error(ErrorKind::LeaseLost, OPERATION, why)
}

/// Ends the session: the server removes all that stands on it.
async fn leave(session: &Session, gate: &Gate) -> Result<()> {
    let begun = session.clock.now();
    let before = session.link.send_replace(Link::Leaving);
    let answered = matches!(before, Link::Up(_));
    let (Link::Up(live) | Link::Doubtful(live, _)) = before else { return Ok(()) };
    let states = live.client.state_watcher();
    if session.recipe.is_given() {
        return Ok(());
    }
    // The library says goodbye when the last handle is gone, and ends when that was answered.
    let ttl = live.ttl;
    drop(live);
    let ended = tokio::time::timeout(session.timeout * 9 / 10, gate.over()).await;
    let took = session.clock.now().saturating_since(begun);
    match states.peek_state() {
        SessionState::Closed if ended.is_ok() => return Ok(()),
        // The answer was lost, and the server does not know the session any more. Later the library would say so unasked.
        SessionState::Expired if answered && took < ttl => return Ok(()),
        _ => {}
    }
    gate.cut();
    let text =
        format!("the session could not be ended and stands until it expires; tried {}", session.tried());
    Err(error(ErrorKind::Unavailable, "close", text))
}
