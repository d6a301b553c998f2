//! A client's way to the store: every request and every watch goes through it, and so through the faults.

use std::{sync::Arc, time::Duration};

use reception_core::{Error, Moment, Result};
use reception_kit::{Break, sleep_until, within};
use tokio::sync::{Notify, watch};

use crate::{
    cluster::Cluster,
    error::{self, NAME, Refusal},
    faults::Condition,
    store::{Change, Position, Store},
};

/// The way of one client. A clone is the same way.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    cluster: Cluster,
    condition: watch::Receiver<Condition>,
    timeout: Duration,
}

impl Line {
    pub(crate) fn new(cluster: Cluster, condition: watch::Receiver<Condition>, timeout: Duration) -> Self {
        Self { cluster, condition, timeout }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(crate) fn now(&self) -> Moment {
        self.cluster.clock().now()
    }

    /// Whether the process of this client is taken for dead.
    pub(crate) fn is_crashed(&self) -> bool {
        self.condition.borrow().crashed
    }

    /// The same way for requests that must be over sooner.
    pub(crate) fn limited(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Makes a request. An error leaves open whether the store has acted.
    pub(crate) async fn ask<T: Send>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Store, Moment) -> T + Send,
    ) -> Result<T> {
        self.running().await;
        let answer = within(self.timeout, NAME, operation, async {
            self.travel(operation).await?;
            let answer = self.cluster.access(|store, now| {
                store.count_request();
                work(store, now)
            });
            self.travel(operation).await?;
            Ok(answer)
        })
        .await;
        // Its timers run on while a process is stopped, but it sees nothing of them before it runs again.
        self.running().await;
        answer
    }

    /// Makes a request that the store may refuse.
    pub(crate) async fn call<T: Send>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Store, Moment) -> Result<T, Refusal> + Send,
    ) -> Result<T> {
        self.ask(operation, work).await?.map_err(|refusal| refusal.during(operation))
    }

    async fn running(&self) {
        self.until(|condition| !condition.paused).await;
    }

    async fn until(&self, reached: impl FnMut(&Condition) -> bool + Send) {
        if self.condition.clone().wait_for(reached).await.is_err() {
            // The store no longer knows the client: nothing will change.
            std::future::pending::<()>().await;
        }
    }

    /// One way between client and store: yields once, so that callers see the suspensions of a real store.
    async fn travel(&self, operation: &'static str) -> Result<()> {
        tokio::task::yield_now().await;
        let delay = self.open_way(operation).await?;
        if !delay.is_zero() {
            tokio::time::sleep(delay / 2).await;
            self.open_way(operation).await?;
        }
        Ok(())
    }

    /// Waits until something can pass, or says why nothing will.
    async fn open_way(&self, operation: &'static str) -> Result<Duration> {
        loop {
            let condition = self.condition.borrow().clone();
            if condition.crashed {
                return Err(error::closed(operation, "the client has crashed"));
            }
            if condition.paused {
                self.until(|condition| !condition.paused || condition.crashed).await;
            } else if condition.cut {
                return Err(error::unreachable(operation, &self.cluster.endpoint(), "connection refused"));
            } else if condition.silent {
                self.until(|condition| !condition.silent || condition.cut || condition.crashed).await;
            } else if let Some(thaw) = self.cluster.access(Store::thaw) {
                sleep_until(self.cluster.clock(), thaw).await;
            } else {
                return Ok(condition.delay);
            }
        }
    }

    /// Ready when an open connection of this client breaks.
    async fn broken(&self, operation: &'static str) -> Error {
        loop {
            self.running().await;
            let condition = self.condition.borrow().clone();
            if condition.crashed {
                return error::closed(operation, "the client has crashed");
            }
            if condition.cut {
                return error::unreachable(operation, &self.cluster.endpoint(), "connection reset");
            }
            if condition.silent || self.cluster.access(Store::thaw).is_some() {
                let opens = self.open_way(operation);
                if tokio::time::timeout(self.timeout, opens).await.is_err() {
                    return error::unreachable(operation, &self.cluster.endpoint(), "no sign of life");
                }
            } else {
                self.until(|condition| condition.crashed || condition.cut || condition.silent).await;
            }
        }
    }
}

/// An open watch of one record, or of one folder when the scope ends in a slash. Dropping it closes it at the store.
#[derive(Debug)]
pub(crate) struct Watch {
    line: Line,
    operation: &'static str,
    scope: String,
    id: u64,
    signal: Arc<Notify>,
    connection: u64,
    position: Position,
    /// Something may have changed since `position`.
    behind: bool,
}

impl Watch {
    /// Opens a watch that begins after `position`, or now.
    pub(crate) async fn open(
        line: &Line,
        operation: &'static str,
        scope: &str,
        position: Option<Position>,
    ) -> Result<Self, Break> {
        let signal = Arc::new(Notify::new());
        let start = position.unwrap_or_default();
        // Made before the request: dropped at any time after it, the store forgets the watch.
        let mut watch = Self {
            line: line.clone(),
            operation,
            scope: scope.to_owned(),
            id: line.cluster.next_id(),
            signal: Arc::clone(&signal),
            connection: 0,
            position: start,
            behind: position.is_some(),
        };
        let id = watch.id;
        let opened = line.ask(operation, move |store, _| {
            store.open(scope, id, signal);
            let position = position.unwrap_or_else(|| store.position());
            store.reaches(position).map(|()| (position, store.connection()))
        });
        match opened.await {
            Ok(Ok((position, connection))) => (watch.position, watch.connection) = (position, connection),
            Ok(Err(refusal)) => return Err(Break::Gap(refusal.during(operation))),
            Err(error) => return Err(Break::Failed(error)),
        }
        Ok(watch)
    }

    /// After which revision the next changes are.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// What has changed by now without waiting for more; nothing after a watch was opened at the latest position.
    pub(crate) fn missed(&mut self) -> Result<Vec<Change>, Break> {
        self.behind = false;
        let (scope, since) = (&self.scope, self.position);
        let pulled =
            self.line.cluster.access(|store, _| Ok((store.changes(scope, since)?, store.position())));
        let (changes, position) =
            pulled.map_err(|refusal: Refusal| Break::Gap(refusal.during(self.operation)))?;
        self.position = position;
        Ok(changes)
    }

    /// The next changes, at least one.
    ///
    /// Cancel safe: what is not handed out is handed out by the next call.
    pub(crate) async fn next(&mut self) -> Result<Vec<Change>, Break> {
        loop {
            if self.line.cluster.access(|store, _| store.connection()) != self.connection {
                let endpoint = self.line.cluster.endpoint();
                return Err(Break::Failed(error::unreachable(self.operation, &endpoint, "connection reset")));
            }
            tokio::select! {
                biased;
                error = self.line.broken(self.operation) => return Err(Break::Failed(error)),
                () = self.signal.notified(), if !self.behind => self.behind = true,
                delivered = self.line.travel(self.operation), if self.behind => {
                    // A fault that is over again before `broken` could see it is a break all the same.
                    delivered.map_err(Break::Failed)?;
                    let changes = self.missed()?;
                    if !changes.is_empty() {
                        return Ok(changes);
                    }
                }
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.line.cluster.access(|store, _| store.shut(&self.scope, self.id));
    }
}
