//! What happens to this client's own keys: one stream, with a watch for a key, or one for many of a service.
//!
//! A change of one key costs one message, whatever the number of keys; a watch on a whole service would bring every change of
//! everybody else's instances. A registration starts to look after its write, from the revision of that write on, so nothing is
//! missed and nothing is waited for.

mod spans;
mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use etcd_client::WatchResponse;
use reception_core::{Error, ErrorKind, Moment};
use reception_kit::{Backoff, CancellationToken, sleep_until};
use tokio::sync::{Notify, watch};

use self::{
    spans::Told,
    table::{Key, Table},
};
use super::{Ended, Line, Position, Range, Session, is_gone, line::Requests};
use crate::error::error;

const OPERATION: &str = "watch own keys";
/// How long new watches wait for others, so that they go together and not between the writes of a crowd. Nothing is missed: each begins at the
/// revision of its record.
const GATHER: Duration = Duration::from_millis(100);

/// The keys to look at, and the eyes that do.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    table: Mutex<Table>,
    changed: Notify,
    /// How often the store was found to have gone back.
    rewound: watch::Sender<u64>,
}

#[derive(Debug)]
enum Order {
    Add(Range),
    Remove(i64),
}

/// The last thing that happened to a key.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// Written, on this lease.
    Put { revision: i64, lease: i64 },
    /// Removed.
    Gone { revision: i64 },
    /// Changes may have been missed.
    Unsure(Error),
}

/// Looks at one key; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Eye {
    session: Arc<Session>,
    watch: i64,
    seen: watch::Receiver<Option<Seen>>,
}

impl Eye {
    /// Looks at `key` from revision `from` on.
    pub(crate) fn open(session: &Arc<Session>, key: &str, from: i64) -> Self {
        let (sender, seen) = watch::channel(None);
        let mut table = session.lookout.table();
        table.next += 1;
        let watch = table.next;
        table
            .keys
            .insert(watch, Key { key: key.to_owned(), from, told: 0, span: None, lease: 0, seen: sender });
        table.fresh.push(watch);
        if !mem::replace(&mut table.running, true) {
            session.supervisor.spawn("lookout", run(Arc::clone(session)));
        }
        drop(table);
        session.lookout.changed.notify_one();
        Self { session: Arc::clone(session), watch, seen }
    }

    /// Whether a record of this revision is looked at: not in a store whose revisions have become smaller.
    pub(crate) fn covers(&self, revision: i64) -> bool {
        self.session.lookout.table().keys.get(&self.watch).is_some_and(|key| key.from <= revision + 1)
    }

    /// The record is on this lease now.
    pub(crate) fn rests_on(&self, lease: i64) {
        if let Some(key) = self.session.lookout.table().keys.get_mut(&self.watch) {
            key.lease = lease;
        }
    }

    /// The next thing that happens to the key; later ones replace earlier ones. Cancel safe.
    pub(crate) async fn next(&mut self) -> Seen {
        loop {
            if self.seen.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(seen) = self.seen.borrow_and_update().clone() {
                return seen;
            }
        }
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        let mut table = self.session.lookout.table();
        let Some(key) = table.keys.remove(&self.watch) else { return };
        // One that the stream does not have yet need not be taken from it, nor one of a span that others need.
        match (key.span, table.fresh.iter().position(|watch| *watch == self.watch)) {
            (Some(span), _) if table.spans.leave(span, &key.key, self.watch) => table.left.push(span),
            (Some(_), _) => {}
            (None, Some(at)) => drop(table.fresh.swap_remove(at)),
            (None, None) => table.left.push(self.watch),
        }
        drop(table);
        self.session.lookout.changed.notify_one();
    }
}

impl Lookout {
    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything to look at, for a new stream.
    fn all(&self) -> Vec<Order> {
        let mut table = self.table();
        table.fresh.clear();
        table.left.clear();
        for (eye, told) in table.spans.end() {
            if let Some(key) = table.keys.get_mut(&eye) {
                (key.told, key.span) = (key.told.max(told), None);
            }
        }
        let all = table.keys.keys().copied().collect();
        table.plan(all)
    }

    fn orders(&self) -> Vec<Order> {
        let mut table = self.table();
        let fresh = mem::take(&mut table.fresh);
        let mut orders = table.plan(fresh);
        // Last: what takes the place of a watch is there before that ends.
        orders.extend(mem::take(&mut table.left).into_iter().map(Order::Remove));
        orders
    }

    /// A store that has not come as far as we have seen is another one, or an older state of itself: a watch from a later revision
    /// on would be deaf there. Looks from where it is, and lets the owners compare. None when it goes on from where we were.
    fn rewind(&self, at: Position) -> Option<Error> {
        // An answer without a header tells nothing.
        if at.revision == 0 {
            return None;
        }
        let mut table = self.table();
        let older = mem::replace(&mut table.term, at.term) > at.term;
        // What came while the stream was being opened may have been written after the answer that tells how far the store is.
        let fresh: BTreeSet<i64> = table.fresh.iter().copied().collect();
        let back = |(watch, key): (&i64, &Key)| older || (key.is_ahead(at) && !fresh.contains(watch));
        if !table.keys.iter().any(back) {
            // What was told elsewhere and is not here yet is told again: nothing of it is ours.
            return table.untell(at.revision).then(behind);
        }
        let error = behind();
        // Also what came meanwhile: the next stream may find the store past the revision at which it was before.
        table.untell(if older { 0 } else { at.revision });
        for key in table.keys.values_mut().filter(|key| older || key.is_ahead(at)) {
            key.from = key.from.min(at.revision + 1);
            key.seen.send_replace(Some(Seen::Unsure(error.clone())));
        }
        drop(table);
        self.set_back();
        Some(error)
    }

    /// The store is known to have gone back.
    pub(crate) fn set_back(&self) {
        self.rewound.send_modify(|times| *times += 1);
    }

    /// Changes each time the store was found to have gone back.
    pub(crate) fn rewound(&self) -> watch::Receiver<u64> {
        self.rewound.subscribe()
    }

    /// The watches whose records should be on this lease.
    pub(super) fn resting(&self, lease: i64) -> Vec<i64> {
        let table = self.table();
        table.keys.iter().filter(|(_, key)| key.lease == lease).map(|(watch, _)| *watch).collect()
    }

    /// Of these watches, tells those whose record is not among the keys on its lease.
    pub(super) fn missed(&self, watches: &[i64], lease: i64, keys: &BTreeSet<Vec<u8>>) {
        let mut table = self.table();
        for watch in watches {
            let Some(key) = table.keys.get_mut(watch).filter(|key| key.lease == lease) else { continue };
            if !keys.contains(key.key.as_bytes()) {
                let error = error(ErrorKind::LeaseLost, OPERATION, "the record is not on its lease");
                key.seen.send_replace(Some(Seen::Unsure(error)));
            }
        }
    }

    /// Tells what an answer says; `own` knows the keys that this client wants.
    fn tell(&self, answer: &WatchResponse, own: impl Fn(&[u8]) -> bool) {
        let at = Position::of(answer.header());
        let mut table = self.table();
        table.term = table.term.max(at.term);
        let watch = answer.watch_id();
        let spanned = table.spans.hear(answer, own);
        // Written to a store that has been set back since, or to a server that is ahead of this one: its owner finds out. The watch
        // stays, and so does its beginning, by which the owner sees whether it is deaf.
        if answer.created() && at.revision > 0 {
            let eyes = if spanned.is_some() { table.spans.eyes(watch) } else { vec![watch] };
            for eye in eyes {
                if let Some(key) = table.keys.get(&eye).filter(|key| key.is_ahead(at)) {
                    key.seen.send_replace(Some(Seen::Unsure(behind())));
                }
            }
        }
        let Some(told) = spanned else {
            let Some(key) = table.keys.get_mut(&watch) else { return };
            for event in answer.events() {
                let Some(kv) = event.kv() else { continue };
                key.tell(kv.mod_revision(), (!is_gone(event)).then_some(kv.lease()));
            }
            return;
        };
        for Told { eye, revision, lease } in told {
            if let Some(key) = table.keys.get_mut(&eye).filter(|key| revision >= key.from) {
                key.tell(revision, lease);
            }
        }
        let quiet = table.quieten(watch);
        drop(table);
        if quiet {
            self.changed.notify_one();
        }
    }

    /// The store's history before `first` is gone: look from where there is some, and let the owners compare. Those of all watches that need
    /// more, since each would end the stream in its turn.
    fn restart(&self, watch: i64, first: i64, error: &Error) {
        let mut table = self.table();
        for (eye, key) in &mut table.keys {
            if *eye == watch || key.start() < first {
                (key.from, key.told) = (first, 0);
                key.seen.send_replace(Some(Seen::Unsure(error.clone())));
            }
        }
    }

    /// The error to go on with: the next stream has single keys where the server shows no more, and need not wait for other rights.
    fn refused(&self, watch: i64, error: Error) -> Error {
        if error.kind() == ErrorKind::Denied && self.table().spans.refuse(watch) {
            return apart(&error);
        }
        error
    }
}

fn behind() -> Error {
    error(ErrorKind::Unavailable, OPERATION, "the store is not as far as it was")
}

fn apart(denied: &Error) -> Error {
    error(ErrorKind::Unavailable, OPERATION, format!("only single keys are shown: {}", denied.context()))
}

async fn run(session: Arc<Session>) {
    let closing = session.supervisor.closing();
    let mut backoff = Backoff::new();
    while !closing.is_cancelled() {
        let begun = session.clock.now();
        let Some(error) = look(&session, &closing).await else { continue };
        backoff.healthy(begun, session.clock.now());
        let at = session.clock.now().saturating_add(backoff.next(&error));
        tokio::select! {
            () = sleep_until(&session.clock, at) => {}
            () = closing.cancelled() => {}
        }
    }
}

/// Follows one stream until it breaks; none when there was nothing to look at or the client closes.
async fn look(session: &Session, closing: &CancellationToken) -> Option<Error> {
    let mut due: VecDeque<Order> = session.lookout.all().into();
    let Some(Order::Add(first)) = due.pop_front() else {
        tokio::select! {
            () = session.lookout.changed.notified() => {}
            () = closing.cancelled() => {}
        }
        return None;
    };
    let opening = session.open(OPERATION, session.brief(), &first);
    let line = tokio::select! {
        opened = opening => match opened {
            Ok(line) => line,
            Err(error) => return Some(session.lookout.refused(first.watch, error)),
        },
        () = closing.cancelled() => return None,
    };
    if let Some(error) = session.lookout.rewind(line.at) {
        return Some(error);
    }
    tokio::select! {
        ended = follow(session, line, due) => Some(ended),
        () = closing.cancelled() => None,
    }
}

/// Sends what is due and tells what comes, side by side: a server that may not answer takes no more orders.
async fn follow(session: &Session, line: Line, mut due: VecDeque<Order>) -> Error {
    let Line { mut requests, mut answers, .. } = line;
    let mut removed = BTreeSet::new();
    let mut gather_until = Moment::NEVER;
    loop {
        let outcome = tokio::select! {
            sent = send(&mut requests, due.front()), if !due.is_empty() => sent.map(|()| {
                if let Some(Order::Remove(watch)) = due.pop_front() {
                    removed.insert(watch);
                }
            }),
            answer = answers.next(OPERATION) => answer.map(|answer| {
                session.lookout.tell(&answer, |key| session.wants(key));
            }),
            () = session.lookout.changed.notified(), if gather_until == Moment::NEVER => {
                gather_until = session.clock.now().saturating_add(GATHER);
                Ok(())
            }
            () = sleep_until(&session.clock, gather_until), if due.is_empty() => {
                gather_until = Moment::NEVER;
                due.extend(session.lookout.orders());
                Ok(())
            }
        };
        match outcome {
            Ok(()) => {}
            // What we gave up ourselves. Every other id ends the stream, also one that we do not know: etcd refuses a watch under -1,
            // so nobody could tell which key is not looked at.
            Err(Ended::Canceled { watch, .. } | Ended::Compacted { watch, .. }) if removed.remove(&watch) => {
            }
            Err(Ended::Compacted { watch, first, error }) => {
                session.lookout.restart(watch, first, &error);
                return error;
            }
            Err(Ended::Canceled { watch, error }) => return session.lookout.refused(watch, error),
            Err(Ended::Failed(error)) => return error,
        }
    }
}

async fn send(requests: &mut Requests, order: Option<&Order>) -> Result<(), Ended> {
    match order {
        Some(Order::Add(range)) => requests.add(range).await,
        Some(Order::Remove(watch)) => requests.remove(*watch).await,
        None => Ok(()),
    }
}
