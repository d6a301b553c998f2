//! The writes of a client, joined: what comes while another write is under way goes with the next transaction.
//!
//! etcd 3.4 copies what it has not committed yet for every transaction with a comparison, so a thousand guarded writes at once cost it far more
//! than a thousand puts; and each transaction is a request and a message to every watcher. A write that comes alone goes at once and by itself.

mod batch;
#[cfg(test)]
mod tests;
mod write;

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use reception_core::{Error, ErrorKind, Moment, Result};
use reception_kit::sleep_until;
use tokio::sync::{Notify, oneshot};

use self::{batch::Member, write::Parts};
use super::{Patience, Session};
use write::Written;
pub(crate) use write::{Guard, Write};

/// The operations in one transaction; etcd takes 128 unless it is told otherwise.
const OPERATIONS: usize = 128;
/// Keys and records in one transaction. Below what a watcher takes for a piece of a revision that the server has cut.
const BYTES: usize = 48 * 1024;
/// Transactions under way at once: on a slow network the next ones do not wait for the first.
const FLIGHTS: usize = 8;
/// Where the way is long, how long a write waits for company behind one that is under way.
const LINGER: Duration = Duration::from_millis(20);
/// A crowd is waited for as long as it grows, looked at this often.
const TICK: Duration = Duration::from_millis(1);
const CROWD: usize = 4;
/// More than these go by themselves.
const QUEUE: usize = 4096;

/// Whether a try without an answer may still land, and what became of the write.
pub(crate) type Outcome = (bool, Result<Written>);

/// The writes that wait for the ones under way.
#[derive(Debug)]
pub(crate) struct Writes {
    table: Mutex<Table>,
    changed: Notify,
    /// How many the server takes at once, as far as we know.
    most: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    queue: VecDeque<Waiting>,
    flights: usize,
    running: bool,
}

#[derive(Debug)]
struct Waiting {
    operation: &'static str,
    patience: Patience,
    since: Moment,
    member: Member,
}

/// A transaction under way; its end lets the next ones go.
struct Flight<'a>(&'a Writes);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut table = self.0.table();
        table.flights -= 1;
        let waiting = !table.queue.is_empty();
        drop(table);
        if waiting {
            self.0.changed.notify_one();
        }
    }
}

enum Turn<'a> {
    Alone(Flight<'a>),
    Joined(oneshot::Receiver<Outcome>),
}

impl Default for Writes {
    fn default() -> Self {
        let (table, changed) = (Mutex::default(), Notify::new());
        Self { table, changed, most: AtomicUsize::new(OPERATIONS) }
    }
}

impl Writes {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server takes fewer in one transaction than were sent.
    fn refused(&self, error: &Error, sent: usize) {
        if error.kind() == ErrorKind::Unsupported {
            self.most.fetch_min((sent / 2).max(1), Ordering::Relaxed);
        }
    }
}

impl Table {
    /// A lone write goes at once, also behind a few when it has waited; a full batch need not wait either.
    fn is_due(&self, now: Moment) -> bool {
        let waited = |first: &Waiting| now.saturating_since(first.since) >= LINGER;
        let full = self.queue.len() >= OPERATIONS / 2;
        self.flights < FLIGHTS
            && self.queue.front().is_some_and(|first| self.flights == 0 || full || waited(first))
    }

    /// The size of a crowd that may go but has grown since it was `before`, and has room and time for more.
    fn growing(&self, before: usize, now: Moment) -> Option<usize> {
        let size = self.queue.len();
        let waited = |first: &Waiting| now.saturating_since(first.since) >= LINGER;
        let over = size < CROWD || size <= before || size >= OPERATIONS / 2 || self.flights > 0;
        (!over && !self.queue.front().is_some_and(waited)).then_some(size)
    }

    fn due_at(&self) -> Moment {
        match self.queue.front() {
            Some(first) if self.flights < FLIGHTS => first.since.saturating_add(LINGER),
            _ => Moment::NEVER,
        }
    }

    /// The first write and those that can go with it: of the same kind, each of another key.
    fn take(&mut self, most: usize) -> Vec<Waiting> {
        let (mut taken, mut keys): (Vec<Waiting>, BTreeSet<String>) = (Vec::new(), BTreeSet::new());
        let (mut parts, mut bytes) = (Parts::default(), 0);
        for waiting in mem::take(&mut self.queue) {
            let Waiting { operation, patience, member, .. } = &waiting;
            if member.reply.is_closed() {
                continue;
            }
            let alike = taken
                .first()
                .is_none_or(|first| (first.operation, first.patience) == (*operation, *patience));
            let size = member.write.size();
            let fits = taken.is_empty()
                || (taken.len() < most && bytes + size <= BYTES && parts.operations() + 2 <= OPERATIONS);
            if alike && fits && keys.insert(member.write.key.clone()) {
                member.write.add_to(&mut parts);
                bytes += size;
                taken.push(waiting);
            } else {
                self.queue.push_back(waiting);
            }
        }
        taken
    }
}

impl Session {
    /// Sends a write, with others or alone, and tells whether a try without an answer may still land.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may leave the write on its way.
    pub(crate) async fn write(
        self: &Arc<Self>,
        operation: &'static str,
        patience: Patience,
        write: Write,
    ) -> Outcome {
        let joined = match self.turn(operation, patience, &write) {
            Turn::Alone(_flight) => return self.write_alone(operation, patience, &write).await,
            Turn::Joined(joined) => joined,
        };
        let closing = self.supervisor.closing();
        tokio::select! {
            biased;
            told = joined => if let Ok(outcome) = told {
                return outcome;
            },
            () = closing.cancelled() => {}
        }
        // The batch has ended with the client, perhaps after it was sent.
        if !patience.through_close {
            return (true, Err(self.supervisor.closed(operation)));
        }
        (true, self.write_alone(operation, patience, &write).await.1)
    }

    fn turn(self: &Arc<Self>, operation: &'static str, patience: Patience, write: &Write) -> Turn<'_> {
        let mut table = self.writes.table();
        let idle = table.flights == 0 && table.queue.is_empty();
        if idle || table.queue.len() >= QUEUE || self.supervisor.is_closed() {
            table.flights += 1;
            return Turn::Alone(Flight(&self.writes));
        }
        let (reply, joined) = oneshot::channel();
        let member = Member { write: write.clone(), reply };
        table.queue.push_back(Waiting { operation, patience, since: self.clock.now(), member });
        if !mem::replace(&mut table.running, true) {
            self.supervisor.spawn("writes", run(Arc::clone(self)));
        }
        let notify = table.queue.len() == 1 || table.queue.len() == OPERATIONS / 2;
        drop(table);
        if notify {
            self.writes.changed.notify_one();
        }
        Turn::Joined(joined)
    }
}

/// Sends what is due until the client closes; who waits then learns it from the channel.
async fn run(session: Arc<Session>) {
    let closing = session.supervisor.closing();
    let mut flights = FuturesUnordered::new();
    loop {
        let at = session.writes.table().due_at();
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            Some(()) = flights.next() => {}
            () = session.writes.changed.notified() => {}
            () = sleep_until(&session.clock, at) => {}
        }
        tokio::select! {
            () = closing.cancelled() => return,
            () = gather(&session) => {}
        }
        while let Some((waiting, flight)) = next(&session) {
            flights.push(fly(&session, waiting, flight));
        }
    }
}

/// Who is about to write as well comes along.
async fn gather(session: &Session) {
    tokio::task::yield_now().await;
    let mut before = 0;
    loop {
        let size = session.writes.table().growing(before, session.clock.now());
        let Some(size) = size else { return };
        before = size;
        tokio::time::sleep(TICK).await;
    }
}

fn next(session: &Session) -> Option<(Vec<Waiting>, Flight<'_>)> {
    let writes = &session.writes;
    let mut table = writes.table();
    if !table.is_due(session.clock.now()) {
        return None;
    }
    let taken = table.take(writes.most.load(Ordering::Relaxed));
    if taken.is_empty() {
        return None;
    }
    table.flights += 1;
    Some((taken, Flight(writes)))
}

async fn fly(session: &Session, waiting: Vec<Waiting>, _flight: Flight<'_>) {
    let Some(first) = waiting.first() else { return };
    let (operation, patience) = (first.operation, first.patience);
    let now = session.clock.now();
    let waited = waiting.iter().map(|one| now.saturating_since(one.since)).max().unwrap_or_default();
    let members = waiting.into_iter().map(|one| one.member).collect();
    batch::play(session, operation, patience.after(waited), members).await;
}
