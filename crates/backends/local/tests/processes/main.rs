//! Processes that are really killed and stopped, folders that are really replaced.

#![cfg(any(target_os = "linux", target_os = "macos"))]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod actor;
mod crowd;
mod elections;
mod folders;
mod hostile;
mod instances;

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{Client, Clock, ListOptions, Moment, Service, ServiceName, Snapshot, Watcher};
use reception_local::{LocalClient, Options, dial};
use tempfile::TempDir;

/// Nothing may take longer, however busy the machine is.
const SOON: Duration = Duration::from_secs(30);

/// A folder in memory where there is one.
fn desk() -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("reception-processes-").tempdir_in(place).unwrap()
}

async fn client(folder: &Path) -> Arc<LocalClient> {
    Arc::new(dial(Options::default().folder(folder).any_fs(true)).await.unwrap())
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

fn instance(id: &str) -> Service {
    Service::builder("api", "127.0.0.1", 8080).id(id).attribute("version", "1").build().unwrap()
}

async fn ids(client: &LocalClient) -> Vec<String> {
    let all = client.list_with(&api(), ListOptions::default().any_status(true)).await.unwrap();
    all.iter().map(|one| one.id().as_str().to_owned()).collect()
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, work).await.expect("in time")
}

async fn eventually<P: Future<Output = bool>>(mut probe: impl FnMut() -> P) {
    soon(async {
        while !probe().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

fn now() -> Moment {
    Clock::BOOT.now()
}

/// Takes items until the view fits.
async fn until(watcher: &mut Box<dyn Watcher>, fits: impl Fn(&Snapshot) -> bool + Send + Sync) {
    soon(async {
        while !watcher.current().is_some_and(&fits) {
            watcher.next().await.unwrap().unwrap();
        }
    })
    .await;
}
