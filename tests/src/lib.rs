//! What the tests of the whole share: a service, a follower of a watch, waits with a deadline, and a log to read again.

#![expect(clippy::missing_panics_doc, reason = "test support says what went wrong by panicking")]
#![expect(clippy::panic, reason = "test support says what went wrong by panicking")]

mod log;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reception::{Change, Client, ClientExt as _, Result, Service, ServiceName, Watcher};
use tokio::time::{Instant, timeout, timeout_at};

pub use log::Log;

/// How long a test waits for what must happen, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The service that tests speak of where any would do.
#[must_use]
pub fn api() -> ServiceName {
    "api".parse().unwrap_or_else(|error| panic!("{error}"))
}

/// An instance of it.
#[must_use]
pub fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap_or_else(|error| panic!("{error}"))
}

/// Dials, or fails the test.
///
/// # Errors
/// None: it panics.
///
/// # Cancel safety
/// Safe.
pub async fn dial(url: &str) -> Arc<dyn Client> {
    reception::dial(url).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Follows a watch and remembers everything that it showed.
#[derive(Debug)]
pub struct Follower {
    watcher: Box<dyn Watcher>,
    /// Each set of ids that was shown, in order, repeats left out.
    pub shown: Vec<BTreeSet<String>>,
    /// How often the watch said that its view may be old.
    pub stales: usize,
    /// How many whole views came.
    pub resets: usize,
}

impl Follower {
    /// Starts to watch a service and waits for the first view.
    ///
    /// # Errors
    /// None: it panics.
    ///
    /// # Cancel safety
    /// Safe: dropping the future drops the watch.
    pub async fn start(client: &dyn Client, name: &ServiceName) -> Self {
        let watcher = client.watch(name).await.unwrap_or_else(|error| panic!("{error}"));
        let mut follower = Self { watcher, shown: Vec::new(), stales: 0, resets: 0 };
        follower.until("the first view", |follower| follower.resets > 0).await;
        follower
    }

    /// Takes items until `enough`; the stream must not end before.
    ///
    /// # Errors
    /// None: it panics.
    ///
    /// # Cancel safety
    /// Items taken so far stay taken.
    pub async fn until(&mut self, what: &str, mut enough: impl FnMut(&Self) -> bool + Send) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(self) {
            match timeout_at(deadline, self.watcher.next()).await {
                Ok(Some(Ok(change))) => self.take(&change),
                Ok(other) => panic!("the watch ended before {what}: {other:?}"),
                Err(_) => panic!(
                    "no {what} within {PATIENCE:?}; shown: {:?}, stale {} times",
                    self.shown, self.stales
                ),
            }
        }
    }

    /// Takes what comes within a span.
    ///
    /// # Errors
    /// None: it panics when the stream ends.
    ///
    /// # Cancel safety
    /// Items taken so far stay taken.
    pub async fn linger(&mut self, span: Duration) {
        let deadline = Instant::now() + span;
        while let Ok(item) = timeout_at(deadline, self.watcher.next()).await {
            match item {
                Some(Ok(change)) => self.take(&change),
                other => panic!("the watch ended: {other:?}"),
            }
        }
    }

    /// The ids of the view now.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<String> {
        self.shown.last().cloned().unwrap_or_default()
    }

    fn take(&mut self, change: &Change) {
        match change {
            Change::Stale(_) => self.stales += 1,
            Change::Reset(_) => self.resets += 1,
            _ => {}
        }
        let Some(view) = self.watcher.current() else { return };
        let ids: BTreeSet<String> = view.iter().map(|service| service.id().to_string()).collect();
        if self.shown.last() != Some(&ids) {
            self.shown.push(ids);
        }
    }
}

/// Gives a future the patience of a test.
///
/// # Errors
/// What the future answers.
///
/// # Cancel safety
/// As the future.
pub async fn patiently<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout(PATIENCE, work).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what}: no answer within {PATIENCE:?}"),
    }
}
