//! The leases that a client's registrations share: about 256 keys each, since every write on a lease costs the server more the more
//! keys it has, and one task each that keeps it alive and, when it is lost, gets another.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reception_core::{Error, ErrorKind, Result};
use reception_kit::{Backoff, readable, sleep_until};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::{Beat, Granted, Session, fresh_lease, keep};
use crate::error::error;

const SEATS: usize = 256;
const OPERATION: &str = "register";
/// How long a closing client waits for a grant that is under way, so as to know what to revoke.
const GRACE: Duration = Duration::from_secs(1);

/// How often the keys on a lease are read, at the most.
const RECONCILE: Duration = Duration::from_secs(60);

/// All shared leases of a client.
#[derive(Debug, Default)]
pub(crate) struct Shards(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    shards: BTreeMap<u64, Open>,
    next: u64,
}

#[derive(Debug)]
struct Open {
    shard: Arc<Shard>,
    seats: usize,
}

#[derive(Debug)]
struct Shard {
    state: watch::Sender<State>,
    suspect: Notify,
}

/// How a shared lease is.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// Asked for.
    Wanted,
    /// Asked for in vain; it is asked for again.
    Refused(Error),
    /// Held, perhaps in doubt.
    Held { lease: i64, doubt: Option<Error> },
    /// Gone with all keys; another is asked for.
    Lost(Error),
    /// The client closes: whether the lease was revoked.
    Ended(Result<()>),
}

/// A registration's place on a shared lease.
#[derive(Debug)]
pub(crate) struct Seat {
    session: Arc<Session>,
    number: u64,
    shard: Arc<Shard>,
    state: watch::Receiver<State>,
}

impl Seat {
    /// Takes a place on a lease that has room, or on a new one.
    pub(crate) fn take(session: &Arc<Session>) -> Self {
        let mut table = session.shards.table();
        let roomy = table.shards.iter_mut().find(|(_, open)| open.seats < SEATS);
        let (number, shard) = match roomy {
            Some((number, open)) => {
                open.seats += 1;
                (*number, Arc::clone(&open.shard))
            }
            None => {
                let number = table.next;
                let shard =
                    Arc::new(Shard { state: watch::Sender::new(State::Wanted), suspect: Notify::new() });
                table.next += 1;
                table.shards.insert(number, Open { shard: Arc::clone(&shard), seats: 1 });
                session.supervisor.spawn("lease", run(Arc::clone(session), number, Arc::clone(&shard)));
                (number, shard)
            }
        };
        drop(table);
        let state = shard.state.subscribe();
        Self { session: Arc::clone(session), number, shard, state }
    }

    /// The lease to write on, other than `not`; waits while there is none.
    pub(crate) async fn lease(&mut self, not: Option<i64>) -> Result<i64> {
        let limit = self.session.timeout;
        let session = Arc::clone(&self.session);
        let mut fresh = false;
        let waiting = async {
            loop {
                match &*self.state.borrow_and_update() {
                    State::Held { lease, .. } if Some(*lease) != not => return Ok(*lease),
                    State::Refused(error) if fresh => return Err(error.clone()),
                    State::Ended(_) => return Err(session.supervisor.closed(OPERATION)),
                    _ => fresh = true,
                }
                if self.state.changed().await.is_err() {
                    return Err(session.supervisor.closed(OPERATION));
                }
            }
        };
        let closing = session.supervisor.closing();
        tokio::select! {
            told = tokio::time::timeout(limit, waiting) => match told {
                Ok(told) => told,
                Err(_) => {
                    let why = format!("no lease within {:?}", readable(limit));
                    Err(error(ErrorKind::Timeout, OPERATION, why))
                }
            },
            () = closing.cancelled() => Err(session.supervisor.closed(OPERATION)),
        }
    }

    /// The next state. Cancel safe.
    pub(crate) async fn news(&mut self) -> State {
        match self.state.changed().await {
            Ok(()) => self.state.borrow_and_update().clone(),
            Err(_) => std::future::pending().await,
        }
    }

    /// The server did not know this lease: its keeper is to look at once.
    pub(crate) fn suspect(&self) {
        self.shard.suspect.notify_one();
    }

    /// A write on this lease went through: a doubt is over, and the next one is told again.
    pub(crate) fn proven(&self, lease: i64) {
        self.shard.state.send_if_modified(|state| match state {
            State::Held { lease: held, doubt } if *held == lease => doubt.take().is_some(),
            _ => false,
        });
    }

    /// Waits until the closing client has revoked the lease.
    pub(crate) async fn revoked(&mut self) -> Result<()> {
        loop {
            if let State::Ended(outcome) = &*self.state.borrow_and_update() {
                return outcome.clone();
            }
            if self.state.changed().await.is_err() {
                return Err(self.session.supervisor.closed(OPERATION));
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(open) = self.session.shards.table().shards.get_mut(&self.number) {
            open.seats -= 1;
        }
    }
}

impl Shards {
    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a record on this lease is this client's.
    pub(crate) fn owns(&self, lease: i64) -> bool {
        self.table().shards.values().any(
            |open| matches!(&*open.shard.state.borrow(), State::Held { lease: held, .. } if *held == lease),
        )
    }

    /// Forgets a lease without registrations.
    fn retire(&self, number: u64) -> bool {
        let mut table = self.table();
        let empty = table.shards.get(&number).is_some_and(|open| open.seats == 0);
        if empty {
            table.shards.remove(&number);
        }
        empty
    }
}

/// The life of one shared lease: granted, kept, granted again; revoked when it is empty or the client closes.
async fn run(session: Arc<Session>, number: u64, shard: Arc<Shard>) {
    let closing = session.supervisor.closing();
    let mut backoff = Backoff::new();
    // Kept until its lease is held and lost: a grant whose answer was lost may have landed, and is asked for again or revoked.
    let mut id = fresh_lease();
    loop {
        let granting = session.grant(OPERATION, id, session.patient().through_close());
        let granted = tokio::select! {
            granted = granting => granted,
            () = async { closing.cancelled().await; tokio::time::sleep(GRACE).await } => Err(session.supervisor.closed(OPERATION)),
        };
        let held = match granted {
            _ if closing.is_cancelled() => return end(&session, &shard, id).await,
            Ok(held) => held,
            Err(error) => {
                let at = session.clock.now().saturating_add(backoff.next(&error));
                shard.state.send_replace(State::Refused(error));
                tokio::select! {
                    () = sleep_until(&session.clock, at) => continue,
                    () = closing.cancelled() => return end(&session, &shard, id).await,
                    () = empty(&session, number, session.ttl) => return revoke(&session, id).await,
                }
            }
        };
        backoff.reset();
        shard.state.send_replace(State::Held { lease: id, doubt: None });
        tokio::select! {
            _lost = keep(&session, held, &shard.suspect, |beat| tell(&shard.state, &held, beat)) => id = fresh_lease(),
            never = reconcile(&session, held) => match never {},
            () = closing.cancelled() => return end(&session, &shard, id).await,
            () = empty(&session, number, held.ttl) => return revoke(&session, id).await,
        }
    }
}

/// Wakes the registrations on what they must know, not on each renewal.
fn tell(state: &watch::Sender<State>, held: &Granted, beat: Beat) {
    let lease = held.id;
    state.send_if_modified(|state| match beat {
        Beat::Held(_) => {
            let doubted = matches!(state, State::Held { doubt: Some(_), .. });
            *state = State::Held { lease, doubt: None };
            doubted
        }
        Beat::Doubtful(_, error) => {
            let known = matches!(state, State::Held { doubt: Some(_), .. });
            *state = State::Held { lease, doubt: Some(error) };
            !known
        }
        Beat::Lost(error) => {
            *state = State::Lost(error);
            true
        }
    });
}

/// Ready when nobody has sat here at the end of a time to live.
async fn empty(session: &Session, number: u64, ttl: Duration) {
    loop {
        sleep_until(&session.clock, session.clock.now().saturating_add(ttl)).await;
        if session.shards.retire(number) {
            return;
        }
    }
}

/// The safety net: one read for all records on the lease. Whoever misses its own is told to look, and what nobody wants is removed:
/// a store that was set back holds again what was withdrawn, and this lease would keep it for ever.
async fn reconcile(session: &Session, held: Granted) -> Infallible {
    let span = RECONCILE.max(held.ttl * 3);
    let (mut rewound, mut backoff) = (session.lookout.rewound(), Backoff::new());
    loop {
        // Spread over a quarter, so that clients that came together do not ask together.
        let part = u32::from(Uuid::new_v4().as_bytes()[0]);
        let at = session.clock.now().saturating_add(span).saturating_add(span / 1024 * part);
        let set_back = tokio::select! {
            () = sleep_until(&session.clock, at) => false,
            _ = rewound.changed() => true,
        };
        let resting = session.lookout.resting(held.id);
        match session.keys_on(held.id).await {
            Ok(keys) => {
                // After a step back every owner has been told already.
                if !set_back {
                    session.lookout.missed(&resting, held.id, &keys);
                }
                session.sweep(held.id, &keys).await;
                backoff.reset();
            }
            Err(error) if set_back => {
                sleep_until(&session.clock, session.clock.now().saturating_add(backoff.next(&error))).await;
                rewound.mark_changed();
            }
            Err(_) => {}
        }
    }
}

async fn revoke(session: &Session, id: i64) {
    // One that cannot be revoked runs out by itself, and has no keys.
    drop(session.revoke(OPERATION, id, session.brief()).await);
}

async fn end(session: &Session, shard: &Shard, id: i64) {
    let revoked = session.revoke("close", id, session.brief()).await;
    session.parted(id, &revoked);
    shard.state.send_replace(State::Ended(revoked));
}
