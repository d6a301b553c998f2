//! What the in-process store and its fault handle do, in words and on paused time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod dialling;
mod elections;
mod faults;
mod leases;
mod schedules;
mod watches;

use std::{future::Future, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{Change, Client as _, ClientExt as _, Service, ServiceName, Snapshot, Watcher};
use reception_memory::{Cluster, MemoryClient, Options};

const TTL: Duration = Duration::from_secs(10);
/// A fault this long costs nothing: the lease less its margin (a tenth), the renewal interval (a third) and half a second.
const HARMLESS: Duration = Duration::from_millis(10_000 - 1_000 - 3_334 - 500);

fn client(cluster: &Cluster) -> MemoryClient {
    cluster.client(Options::default().ttl(TTL)).unwrap()
}

fn service(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

async fn ids(client: &MemoryClient) -> Vec<String> {
    client.list(&api()).await.unwrap().iter().map(|service| service.id().to_string()).collect()
}

/// Takes items until the view is as wanted; fails after a minute of the store's time.
async fn until_view(watcher: &mut Box<dyn Watcher>, ready: impl Fn(&Snapshot) -> bool + Sync) -> Vec<Change> {
    let mut seen = Vec::new();
    soon(async {
        while !watcher.current().is_some_and(&ready) {
            seen.push(watcher.next().await.unwrap().unwrap());
        }
    })
    .await;
    seen
}

/// Waits for what must happen: at most a minute of the store's time.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("nothing happened within a minute")
}

/// Asks again and again until it is so: at most a minute of the store's time.
async fn eventually(mut probe: impl AsyncFnMut() -> bool) {
    soon(async {
        while !probe().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

async fn close(client: MemoryClient) {
    client.close().await.unwrap();
}
