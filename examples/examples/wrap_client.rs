//! Wraps any client, here to count its calls. The wrapper is a `Client` itself, so wrappers stack.
//!
//! The traits have no default methods: a wrapper that forgets to forward one does not compile.
//!
//! ```sh
//! cargo run --example wrap_client
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use reception::{
    Capabilities, Client, ClientExt, ElectOptions, ElectionName, Elector, ListOptions, Probe,
    RegisterOptions, Registration, Result, Service, ServiceName, Snapshot, WatchOptions, Watcher,
    async_trait,
};

/// Counts the calls that reach the client inside.
#[derive(Debug)]
struct Counting<C> {
    inner: C,
    calls: AtomicU64,
}

impl<C> Counting<C> {
    const fn new(inner: C) -> Self {
        Self { inner, calls: AtomicU64::new(0) }
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn count(&self) -> &C {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.inner
    }
}

#[async_trait]
impl<C: Client> Client for Counting<C> {
    fn backend(&self) -> &'static str {
        self.inner.backend()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        self.count().register_with(service, options).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        self.count().list_with(name, options).await
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        self.count().watch_with(name, options).await
    }

    async fn elector_with(&self, name: &ElectionName, options: ElectOptions) -> Result<Box<dyn Elector>> {
        self.count().elector_with(name, options).await
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        self.count().names().await
    }

    async fn probe(&self) -> Result<Probe> {
        self.count().probe().await
    }

    async fn close(&self) -> Result<()> {
        self.count().close().await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://demo".to_owned());
    // `dial` gives an `Arc<dyn Client>`, which is a `Client` too, and so is the wrapper: `ClientExt` comes with it.
    let client = Counting::new(reception::dial(&url).await?);

    let registration = client.register(Service::new("api", "10.0.0.7", 8080)?).await?;
    let listed = client.list(&"api".parse()?).await?;
    registration.close().await?;
    client.close().await?;

    println!("instances listed: {}; calls to {}: {}", listed.len(), client.backend(), client.calls());
    Ok(())
}
