//! The health gate: on memory with a paused clock, on this machine's files, with real commands and listeners.
#![cfg(all(feature = "health", feature = "local", feature = "memory"))]
#![expect(clippy::expect_used, reason = "a test may panic")]

mod checks;
mod command;
mod ends;
mod etcd;
mod stores;
mod turns;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use reception::{
    BoxStream, Client, ClientExt as _, Service,
    health::{Gate, GateChange},
    memory::{Cluster, MemoryClient, Options},
};

/// Longer than anything here takes; of paused time there is plenty.
const LIMIT: Duration = Duration::from_secs(60);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn api() -> Service {
    Service::builder("api", "10.0.0.7", 8080).id("one").build().expect("within the limits")
}

/// A store on tokio's clock and a client of it.
fn memory() -> (Cluster, Arc<MemoryClient>) {
    let cluster = Cluster::on_tokio_time();
    let client = Arc::new(cluster.client(Options::default()).expect("a client"));
    (cluster, client)
}

/// The ids that a client shows.
async fn shown(client: &dyn Client) -> Vec<String> {
    let list = client.list(&"api".parse().expect("a name")).await.expect("the store can be reached");
    list.iter().map(|service| service.id().to_string()).collect()
}

/// What a check is to say, turned by the test, and how often it was asked.
#[derive(Clone, Default)]
struct Switch(Arc<(AtomicU32, AtomicU32)>);

impl Switch {
    fn good() -> Self {
        let switch = Self::default();
        switch.turn(true);
        switch
    }

    fn turn(&self, good: bool) {
        self.0.0.store(u32::from(good), Ordering::SeqCst);
    }

    fn asked(&self) -> u32 {
        self.0.1.load(Ordering::SeqCst)
    }

    fn check(&self) -> impl FnMut() -> std::future::Ready<Result<(), &'static str>> + Send + 'static {
        let switch = self.clone();
        move || {
            switch.0.1.fetch_add(1, Ordering::SeqCst);
            let good = switch.0.0.load(Ordering::SeqCst) == 1;
            std::future::ready(if good { Ok(()) } else { Err("switched off") })
        }
    }
}

/// What happens to a gate, as words.
struct Story(BoxStream<GateChange>);

impl Story {
    fn of(gate: &Gate) -> Self {
        Self(gate.changes())
    }

    /// The next change that is none of a try.
    async fn next(&mut self) -> String {
        loop {
            match self.any().await {
                Some(GateChange::Passing | GateChange::Failing(_)) => {}
                Some(change) => return word(&change),
                None => return "end".to_owned(),
            }
        }
    }

    async fn any(&mut self) -> Option<GateChange> {
        in_time(self.0.next()).await
    }

    /// Everything to the end.
    async fn rest(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(change) = self.any().await {
            rest.push(word(&change));
        }
        rest
    }
}

fn word(change: &GateChange) -> String {
    match change {
        GateChange::Passing => "passing".to_owned(),
        GateChange::Failing(reason) => format!("failing: {reason}"),
        GateChange::Registered(service) => format!("registered {}", service.id()),
        GateChange::Doubtful(error) => format!("doubtful: {}", error.kind()),
        GateChange::Recovered => "recovered".to_owned(),
        GateChange::Withdrawn => "withdrawn".to_owned(),
        GateChange::Unconfirmed(error) => format!("unconfirmed: {}", error.kind()),
        GateChange::Lost(error) => format!("lost: {}", error.kind()),
        other => format!("{other:?}"),
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work).await.expect("within the limit")
}

/// Waits until a client shows these ids.
async fn until_shown(client: &dyn Client, ids: &[&str]) {
    let probe = || async {
        let seen = shown(client).await;
        if seen == ids { Ok(()) } else { Err(seen) }
    };
    reception_lab::eventually(LIMIT, probe).await.expect("shown in the end");
}
