//! What happens to this client's own keys: one stream, one server-side watch per key.
//!
//! A change of one key costs one message, whatever the number of keys; a watch on a whole service would bring every change of
//! everybody else's instances. A registration starts to look after its write, from the revision of that write on, so nothing is
//! missed and nothing is waited for.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use etcd_client::WatchResponse;
use reception_core::Error;
use reception_kit::{Backoff, CancellationToken, sleep_until};
use tokio::sync::{Notify, watch};

use super::{Ended, Line, Range, Session, is_gone, line::Requests};

const OPERATION: &str = "watch own keys";

/// The keys to look at, and the eyes that do.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    keys: BTreeMap<i64, Key>,
    next: i64,
    running: bool,
    /// Watches that the open stream does not have yet, and those it has in vain.
    fresh: Vec<i64>,
    left: Vec<i64>,
}

#[derive(Debug)]
struct Key {
    key: String,
    from: i64,
    seen: watch::Sender<Option<Seen>>,
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
        table.keys.insert(watch, Key { key: key.to_owned(), from, seen: sender });
        table.fresh.push(watch);
        if !mem::replace(&mut table.running, true) {
            session.supervisor.spawn("lookout", run(Arc::clone(session)));
        }
        drop(table);
        session.lookout.changed.notify_one();
        Self { session: Arc::clone(session), watch, seen }
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
        table.keys.remove(&self.watch);
        // One that the stream does not have yet need not be taken from it.
        match table.fresh.iter().position(|watch| *watch == self.watch) {
            Some(at) => drop(table.fresh.swap_remove(at)),
            None => table.left.push(self.watch),
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
    fn all(&self) -> Vec<Range> {
        let mut table = self.table();
        table.fresh.clear();
        table.left.clear();
        table.keys.iter().map(|(watch, key)| key.range(*watch)).collect()
    }

    fn orders(&self) -> Vec<Order> {
        let mut table = self.table();
        let fresh = mem::take(&mut table.fresh);
        let left = mem::take(&mut table.left);
        let range = |watch| table.keys.get(&watch).map(|key| Order::Add(key.range(watch)));
        fresh.into_iter().filter_map(range).chain(left.into_iter().map(Order::Remove)).collect()
    }

    fn wants(&self, watch: i64) -> bool {
        self.table().keys.contains_key(&watch)
    }

    fn tell(&self, answer: &WatchResponse) {
        let mut table = self.table();
        let Some(key) = table.keys.get_mut(&answer.watch_id()) else { return };
        for event in answer.events() {
            let Some(kv) = event.kv() else { continue };
            let revision = kv.mod_revision();
            let seen = if is_gone(event) {
                Seen::Gone { revision }
            } else {
                Seen::Put { revision, lease: kv.lease() }
            };
            key.from = key.from.max(revision + 1);
            key.seen.send_replace(Some(seen));
        }
    }

    /// The key's history is gone: look from where there is some, and let the owner compare.
    fn restart(&self, watch: i64, first: i64, error: &Error) {
        if let Some(key) = self.table().keys.get_mut(&watch) {
            key.from = first;
            key.seen.send_replace(Some(Seen::Unsure(error.clone())));
        }
    }
}

impl Key {
    fn range(&self, watch: i64) -> Range {
        Range { watch, key: self.key.clone().into_bytes(), end: None, from: self.from }
    }
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
    let mut due: VecDeque<Order> = session.lookout.all().into_iter().map(Order::Add).collect();
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
            Err(error) => return Some(error),
        },
        () = closing.cancelled() => return None,
    };
    tokio::select! {
        ended = follow(session, line, due) => Some(ended),
        () = closing.cancelled() => None,
    }
}

/// Sends what is due and tells what comes, side by side: a server that may not answer takes no more orders.
async fn follow(session: &Session, line: Line, mut due: VecDeque<Order>) -> Error {
    let Line { mut requests, mut answers, .. } = line;
    loop {
        let outcome = tokio::select! {
            sent = send(&mut requests, due.front()), if !due.is_empty() => sent.map(|()| drop(due.pop_front())),
            answer = answers.next(OPERATION) => answer.map(|answer| session.lookout.tell(&answer)),
            () = session.lookout.changed.notified(), if due.is_empty() => {
                due.extend(session.lookout.orders());
                Ok(())
            }
        };
        match outcome {
            Ok(()) => {}
            Err(Ended::Canceled { watch, .. }) if !session.lookout.wants(watch) => {}
            Err(Ended::Compacted { watch, first, error }) => {
                session.lookout.restart(watch, first, &error);
                return error;
            }
            Err(Ended::Canceled { error, .. } | Ended::Failed(error)) => return error,
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
