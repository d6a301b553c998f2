//! The task that holds the session: makes it, follows its link, makes a new one when it is lost, ends it when the client closes.
//!
//! ```text
//!            ┌───────── lost ──────────┐
//!            ▼                         │
//!  asked ► Down ── connected ► Up ◄► Doubtful
//!            │                 │       │
//!            └──── leaving ────┴───────┴──► Leaving ──► Over
//! ```
//!
//! Where servers are found, a session is taken to another one as it is: from Doubtful when there are others, from Up when its own is none any more.

use std::{sync::Arc, time::Duration};

use reception_core::{Error, ErrorKind, Moment, Result};
use reception_kit::{Backoff, Lifeline, signal, sleep_until};
use tokio::sync::watch;
use zookeeper_client::{self as zk, SessionState};

use super::{
    Gate, Hosts, Link, Recipe, Session,
    gate::supervised,
    proof::{Heard, Proof},
    seeking::{Placed, Standing, better, news, reconsidered, servers},
};
use crate::{
    ensemble,
    error::{NAME, error, native},
};

const OPERATION: &str = "session";
/// The pauses after a session was lost: whoever waits for the next one waits no longer than this.
const FIRST: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_millis(800);
/// The pause before a session that could not leave its server tries again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a session is not followed any more.
enum End {
    Lost(Error),
    Leaving,
    /// It should be on another server; whether its link is broken.
    Away(bool),
}

/// What the keeper knows of the servers, where they are found.
type Known = Option<watch::Receiver<ensemble::Known>>;

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
    let mut known = match &session.recipe {
        Recipe::Dial { hosts: Hosts::Found(found), .. } => Some(found.known.clone()),
        _ => None,
    };
    let mut turn = 0;
    loop {
        let since = session.clock.now();
        let (lost, backoff) = match connect(session, &mut known).await {
            Ok(placed) => {
                let id = placed.client.session_id().0;
                let granted = placed.client.session_timeout();
                if granted > session.ttl {
                    tracing::warn!(backend = NAME, asked = ?session.ttl, ?granted, "the server grants a longer session");
                }
                match stand(session, placed, &mut known, &mut turn).await {
                    (gate, Ok(())) => return leave(session, &gate).await,
                    (gate, Err(error)) => {
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
            () = news(known.as_ref()) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Follows a session from server to server; Ok when the client leaves, an error when the session is lost.
async fn stand(
    session: &Session,
    mut placed: Placed,
    known: &mut Known,
    turn: &mut u64,
) -> (Gate, Result<()>) {
    loop {
        *turn += 1;
        let standing = placed.standing();
        let mut states = placed.client.state_watcher();
        session.link.send_replace(Link::Up(placed.live(*turn)));
        let mut not_before = session.clock.now();
        placed = loop {
            let end = follow(session, &standing, &mut states, turn, known, not_before).await;
            let moved = match end {
                End::Leaving => return (standing.gate, Ok(())),
                End::Lost(error) => return (standing.gate, Err(error)),
                End::Away(broken) => relocate(session, &standing, &mut states, known, broken).await,
            };
            match moved {
                Ok(Some(moved)) => break moved,
                Ok(None) if session.leaving.is_cancelled() => return (standing.gate, Ok(())),
                // Better on a server that is none any more than on none.
                Ok(None) => not_before = session.clock.now().saturating_add(AGAIN),
                Err(error) => return (standing.gate, Err(error)),
            }
        };
    }
}

/// Takes a session to another server; none when it stays where it is or the client leaves.
async fn relocate(
    session: &Session,
    standing: &Standing,
    states: &mut zk::StateWatcher,
    known: &Known,
    broken: bool,
) -> Result<Option<Placed>> {
    let (Some(known), Some(way)) = (known, session.way()) else { return Ok(None) };
    if !broken {
        let moved = tokio::select! {
            biased;
            moved = way.round(known, Some(standing)) => moved,
            () = session.leaving.cancelled() => return Ok(None),
            () = reconsidered(standing, states, known) => return Ok(None),
        };
        match moved {
            Ok(placed) => return Ok(Some(placed)),
            // The servers that there are now are another store's: what stands on the old one is made anew there.
            Err(zk::Error::SessionExpired) => return Err(lost("the servers do not know the session")),
            Err(_) if !standing.gate.has_moved() => return Ok(None),
            Err(_) => {}
        }
    }
    standing.gate.hand_over();
    let left = async {
        session.leaving.cancelled().await;
        tokio::time::sleep(session.timeout / 2).await;
    };
    tokio::select! {
        biased;
        rescued = way.rescue(known, standing) => rescued.map(Some),
        () = left => Ok(None),
    }
}

/// Makes a session; an error too when the client leaves meanwhile.
async fn connect(session: &Session, known: &mut Known) -> Result<Placed> {
    let connecting = async {
        match (&session.recipe, known) {
            (Recipe::Given(client), _) => match client.state() {
                SessionState::Expired | SessionState::AuthFailed | SessionState::Closed => {
                    Err(error(ErrorKind::LeaseLost, OPERATION, "the session of the given client is over"))
                }
                _ => Ok(Placed { client: client.clone(), gate: Gate::new(), server: None }),
            },
            (Recipe::Dial { connector, hosts: Hosts::Fixed(hosts), tls, .. }, _) => {
                let gate = Gate::new();
                let connector = zk::Connector::clone(connector);
                let made = supervised(&session.back, &gate, dial(connector, hosts, *tls)).await;
                let client = made.map_err(|wrong| unreached(session, wrong))?;
                Ok(Placed { client, gate, server: None })
            }
            (Recipe::Dial { .. }, known) => {
                let (Some(known), Some(way)) = (known, session.way()) else {
                    return Err(error(ErrorKind::Internal, OPERATION, "nobody finds servers"));
                };
                servers(known).await?;
                way.round(known, None).await.map_err(|wrong| unreached(session, wrong))
            }
        }
    };
    let left = async {
        session.leaving.cancelled().await;
        // A session that is granted just now is known and ended in order.
        tokio::time::sleep(session.timeout / 4).await;
    };
    tokio::select! {
        biased;
        made = connecting => made,
        () = left => {
            let text = format!("the client closed while it was connecting; tried {}", session.tried());
            Err(error(ErrorKind::Unavailable, "close", text))
        }
    }
}

#[cfg(feature = "tls")]
pub(super) async fn dial(connector: zk::Connector, hosts: &str, tls: bool) -> Result<zk::Client, zk::Error> {
    if tls { connector.secure_connect(hosts).await } else { connector.connect(hosts).await }
}

#[cfg(not(feature = "tls"))]
pub(super) async fn dial(connector: zk::Connector, hosts: &str, _tls: bool) -> Result<zk::Client, zk::Error> {
    connector.connect(hosts).await
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

/// Follows the link of a session that stands on one server.
async fn follow(
    session: &Session,
    standing: &Standing,
    states: &mut zk::StateWatcher,
    turn: &mut u64,
    known: &mut Known,
    not_before: Moment,
) -> End {
    // What happened before somebody looked is in no change.
    let mut unseen = Some(states.state()).filter(|state| *state != SessionState::SyncConnected);
    let (mut broken, mut proof) = (false, Proof::default());
    loop {
        let better = better(known.as_mut(), standing.server.as_deref(), broken);
        // A broken link is left at once.
        let rests_until = (!broken).then_some(not_before);
        let away = async {
            if let Some(until) = rests_until {
                sleep_until(&session.clock, until).await;
            }
            better.await;
        };
        let told = match unseen.take() {
            Some(state) => Told::State(state),
            None => tokio::select! {
                biased;
                () = session.leaving.cancelled() => return End::Leaving,
                () = standing.gate.over() => return End::Lost(lost("the session has ended")),
                state = states.changed() => Told::State(state),
                heard = proof.heard(session) => Told::Heard(heard),
                () = away => return End::Away(broken),
            },
        };
        match told {
            // Also when nothing was seen of a break: states merge.
            Told::State(SessionState::SyncConnected | SessionState::ConnectedReadOnly) => {
                broken = false;
                session.link_is_up(turn);
                proof = Proof::of(session);
            }
            Told::Heard(Heard::Answer) => {
                if std::mem::take(&mut broken) {
                    session.link_is_up(turn);
                }
            }
            Told::State(SessionState::Disconnected) => {
                (broken, proof) = (true, Proof::default());
                session.link_is_broken();
            }
            Told::Heard(Heard::Nothing) => {
                broken = true;
                session.link_is_broken();
            }
            Told::State(SessionState::AuthFailed) => {
                return End::Lost(native(OPERATION, "logging in", zk::Error::AuthFailed));
            }
            Told::State(SessionState::Expired) => return End::Lost(lost("the session has expired")),
            Told::State(SessionState::Closed) => return End::Lost(lost("the session was closed")),
        }
    }
}

/// What is told of a link.
enum Told {
    State(SessionState),
    Heard(Heard),
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
