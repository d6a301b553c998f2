//! The way to the store: endpoints with failover, and what one client shares (leases, the watch on its own keys).
//!
//! A call goes to the endpoint that answered last and moves on when that one does not answer in its share of the time. Writes are
//! transactions that may be sent twice. Nothing here is opened before it is used.

mod endpoint;
mod lease;
mod line;
mod lookout;
mod shards;
mod strays;
mod writes;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use etcd_client::{GetOptions, GetResponse, Txn, TxnOpResponse, TxnResponse};
use reception_core::{Clock, Error, ErrorKind, Result};
use reception_kit::{Supervisor, Wanted};

pub(crate) use endpoint::{Endpoint, Recipe, User};
pub(crate) use lease::{Beat, Granted, fresh_lease, keep};
pub(crate) use line::{Ended, Line, Position, Range, is_gone};
pub(crate) use lookout::{Eye, Lookout, Seen};
pub(crate) use shards::{Seat, Shards, State};
pub(crate) use writes::{Guard, Write, Writes};

use crate::{error::error, layout::Layout};

const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// What the parts of one client share.
pub(crate) struct Session {
    pub(crate) layout: Layout,
    pub(crate) supervisor: Supervisor,
    pub(crate) clock: Clock,
    pub(crate) timeout: Duration,
    /// The time to live to ask for, in whole seconds; the granted one counts.
    pub(crate) ttl: Duration,
    pub(crate) shards: Shards,
    pub(crate) lookout: Lookout,
    pub(crate) wanted: Wanted,
    pub(crate) writes: Writes,
    endpoints: Vec<Arc<Endpoint>>,
    /// Where the next call goes first.
    preferred: AtomicUsize,
    /// The time to live that the server granted last, in milliseconds; zero before the first grant.
    granted: AtomicU64,
    /// The leases that may be left after the client's close, and why.
    left: Mutex<BTreeMap<i64, Error>>,
}

/// How long a call goes on trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// The end of everything.
    total: Duration,
    /// The end of one try.
    each: Duration,
    /// How often every endpoint is asked at least.
    rounds: u32,
    /// New rounds start until then.
    until: Duration,
    /// Whether it goes on while the client closes.
    through_close: bool,
}

impl Patience {
    /// Goes on while the client closes, which must know the outcome to leave nothing.
    pub(crate) fn through_close(self) -> Self {
        Self { through_close: true, ..self }
    }

    /// What is left of it.
    fn after(self, waited: Duration) -> Self {
        let (total, until) = (self.total.saturating_sub(waited), self.until.saturating_sub(waited));
        Self { total, until, ..self }
    }
}

impl Session {
    pub(crate) fn new(
        layout: Layout,
        supervisor: Supervisor,
        clock: Clock,
        (timeout, ttl): (Duration, Duration),
        endpoints: Vec<Endpoint>,
    ) -> Arc<Self> {
        let endpoints = endpoints.into_iter().map(Arc::new).collect();
        Arc::new(Self {
            layout,
            supervisor,
            clock,
            timeout,
            ttl,
            shards: Shards::default(),
            lookout: Lookout::default(),
            wanted: Wanted::default(),
            writes: Writes::default(),
            endpoints,
            preferred: AtomicUsize::new(0),
            granted: AtomicU64::new(0),
            left: Mutex::default(),
        })
    }

    pub(crate) fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Somebody waits for the answer: an election among the servers (1 to 2 s) is sat out. Ends with the client.
    pub(crate) fn patient(&self) -> Patience {
        let total = self.total();
        Patience { total, each: self.share(total), rounds: 2, until: total / 2, through_close: false }
    }

    /// Somebody comes back by itself: every endpoint twice, since a connection that broke unseen costs the first try.
    pub(crate) fn brief(&self) -> Patience {
        let total = self.total();
        let each = self.share(total);
        Patience { total, each, rounds: 2, until: Duration::ZERO, through_close: true }
    }

    /// A renewal: every endpoint once, and none may use up the lease.
    pub(crate) fn renewal(&self, ttl: Duration) -> Patience {
        let each = (ttl / 4).min(self.timeout);
        Patience { total: ttl / 2, each, rounds: 1, until: Duration::ZERO, through_close: true }
    }

    /// A little less than the timeout, so that the answer tells who was asked before anybody else cuts the call.
    fn total(&self) -> Duration {
        self.timeout * 9 / 10
    }

    fn share(&self, total: Duration) -> Duration {
        total / u32::try_from(self.endpoints.len()).unwrap_or(1).max(1)
    }

    /// Calls the store.
    pub(crate) async fn call<T, F, W>(
        &self,
        operation: &'static str,
        patience: Patience,
        work: W,
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T, etcd_client::Error>> + Send,
        W: Fn(&etcd_client::Client) -> F + Send + Sync,
    {
        self.traced(operation, patience, work).await.1
    }

    /// Calls the store, and tells whether a try without an answer may still land.
    async fn traced<T, F, W>(&self, operation: &'static str, patience: Patience, work: W) -> (bool, Result<T>)
    where
        T: Send,
        F: Future<Output = Result<T, etcd_client::Error>> + Send,
        W: Fn(&etcd_client::Client) -> F + Send + Sync,
    {
        let asking = self.ask(operation, patience, work);
        if patience.through_close {
            return asking.await;
        }
        let closing = self.supervisor.closing();
        tokio::select! {
            biased;
            told = asking => told,
            () = closing.cancelled() => (true, Err(self.supervisor.closed(operation))),
        }
    }

    async fn ask<T, F, W>(&self, operation: &'static str, patience: Patience, work: W) -> (bool, Result<T>)
    where
        T: Send,
        F: Future<Output = Result<T, etcd_client::Error>> + Send,
        W: Fn(&etcd_client::Client) -> F + Send + Sync,
    {
        let begun = self.clock.now();
        let mut failed: Vec<Option<Error>> = vec![None; self.endpoints.len()];
        let mut loose = false;
        for round in 0_u32.. {
            for _ in 0..self.endpoints.len() {
                let left = patience.total.saturating_sub(self.clock.now().saturating_since(begun));
                if left.is_zero() {
                    return (loose, Err(self.unanswered(operation, failed)));
                }
                let index = self.preferred.load(Ordering::Relaxed) % self.endpoints.len();
                let limit = left.min(patience.each);
                match self.endpoints[index].attempt(operation, limit, &work).await {
                    Err(error) if may_differ(&error) => {
                        self.leave(index, &error);
                        loose |= matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
                        failed[index] = Some(error);
                    }
                    answered => return (loose, answered),
                }
            }
            let spent = self.clock.now().saturating_since(begun);
            if round + 1 >= patience.rounds && spent >= patience.until {
                break;
            }
            let pause = PAUSE.saturating_mul(1 << round.min(4)).min(LONGEST_PAUSE);
            tokio::time::sleep(pause.min(patience.total.saturating_sub(spent))).await;
        }
        (loose, Err(self.unanswered(operation, failed)))
    }

    /// The next call goes elsewhere, unless another has moved on already.
    fn leave(&self, index: usize, error: &Error) {
        let next = (index + 1) % self.endpoints.len();
        // Lost to another call that has moved on: the better answer stays.
        let _ = self.preferred.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
        if error.kind() == ErrorKind::Timeout {
            let endpoint = Arc::clone(&self.endpoints[index]);
            self.supervisor.spawn("reconnect", async move { endpoint.reconnect().await });
        }
    }

    fn unanswered(&self, operation: &'static str, failed: Vec<Option<Error>>) -> Error {
        let failed: Vec<Error> = failed.into_iter().flatten().collect();
        let first = failed.first().map_or(ErrorKind::Unavailable, Error::kind);
        let kind = match first {
            ErrorKind::Timeout => ErrorKind::Unavailable,
            same if failed.iter().all(|error| error.kind() == same) => same,
            _ => ErrorKind::Unavailable,
        };
        let tried: Vec<&str> = if failed.is_empty() {
            self.endpoints.iter().map(|endpoint| endpoint.address()).collect()
        } else {
            failed.iter().map(Error::context).collect()
        };
        let context = format!("no endpoint served the call; tried {}", tried.join(", "));
        let whole = error(kind, operation, context);
        match failed.into_iter().next_back() {
            Some(last) => whole.with_retry(last.retry()).with_source(last),
            None => whole,
        }
    }

    /// Runs a transaction.
    pub(crate) async fn txn(
        &self,
        operation: &'static str,
        patience: Patience,
        txn: Txn,
    ) -> Result<TxnResponse> {
        self.traced_txn(operation, patience, txn).await.1
    }

    /// Runs a transaction, and tells whether a try without an answer may still land.
    pub(crate) async fn traced_txn(
        &self,
        operation: &'static str,
        patience: Patience,
        txn: Txn,
    ) -> (bool, Result<TxnResponse>) {
        let work = |channel: &etcd_client::Client| {
            let (mut kv, txn) = (channel.kv_client(), txn.clone());
            async move { kv.txn(txn).await }
        };
        self.traced(operation, patience, work).await
    }

    /// Reads keys.
    pub(crate) async fn get(
        &self,
        operation: &'static str,
        patience: Patience,
        key: &[u8],
        options: GetOptions,
    ) -> Result<GetResponse> {
        let work = |channel: &etcd_client::Client| {
            let (mut kv, key, options) = (channel.kv_client(), key.to_vec(), options.clone());
            async move { kv.get(key, Some(options)).await }
        };
        self.call(operation, patience, work).await
    }

    /// Ends every task, each of which withdraws what it holds, and then every connection.
    pub(crate) async fn close(&self) -> Result<()> {
        self.supervisor.close().await;
        for endpoint in &self.endpoints {
            endpoint.hang_up();
        }
        let left = self.left().values().next().cloned();
        left.map_or(Ok(()), Err)
    }

    fn left(&self) -> MutexGuard<'_, BTreeMap<i64, Error>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how the closing client's last try to revoke this lease went.
    pub(crate) fn parted(&self, lease: i64, outcome: &Result<()>) {
        match outcome {
            Ok(()) => drop(self.left().remove(&lease)),
            Err(error) => drop(self.left().insert(lease, error.clone())),
        }
    }
}

/// Whether another endpoint, or this one a little later, may answer otherwise.
fn may_differ(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Config | ErrorKind::Protocol
    )
}

/// The answers to the reads of a transaction, in order.
pub(crate) fn reads(answer: &TxnResponse) -> Vec<GetResponse> {
    let read = |answer| match answer {
        TxnOpResponse::Get(read) => Some(read),
        _ => None,
    };
    answer.op_responses().into_iter().filter_map(read).collect()
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("namespace", &self.layout.namespace())
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}
