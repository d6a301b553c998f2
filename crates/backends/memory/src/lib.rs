//! Reception inside one process: the reference backend, and the store for tests and examples.
//!
//! `memory:` is a store of one's own, `memory://name` one that is shared by name inside the process, the path is the namespace. The store keeps
//! encoded records under leases, as a server would: an instance whose client is gone disappears after its `ttl`, watches have gaps, elections
//! have tokens that grow. [`Faults`] breaks all of that on purpose, also in tests of your own.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> reception_core::Result<()> {
//! use reception_core::{ClientExt, Dialer, Service};
//!
//! let dialer = Dialer::new().with(reception_memory::BACKEND)?;
//! let client = dialer.dial("memory://orders/prod?ttl=3s").await?;
//! let api = Service::builder("api", "10.0.0.7", 8080).attribute("zone", "a").build()?;
//!
//! let registration = client.register(api.clone()).await?; // kept until closed or dropped
//! assert_eq!(client.list(&"api".parse()?).await?.len(), 1);
//!
//! let elector = client.elector(&"reaper".parse()?).await?;
//! let leadership = elector.elect(api).await?; // held until resigned, dropped or lost
//! assert!(leadership.is_held());
//! leadership.resign().await?;
//!
//! registration.close().await?;
//! client.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Cluster`] is the store as a value: a test makes one on a clock of its own and dials it without a URL.

mod client;
mod cluster;
mod elect;
mod error;
mod faults;
mod layout;
mod line;
mod options;
mod register;
mod session;
mod store;
mod watch;

use std::sync::Arc;

use reception_core::{Backend, Client, DialFuture, DialUrl};

pub use client::{MemoryClient, dial};
pub use cluster::Cluster;
pub use faults::Faults;
pub use options::Options;

/// The `memory:` backend, for a [`Dialer`](reception_core::Dialer).
pub const BACKEND: Backend =
    Backend::new(error::NAME, &["memory"], "memory://orders/prod?ttl=3s", options::OPTIONS, dial_url);

fn dial_url(url: DialUrl) -> DialFuture {
    Box::pin(async move {
        let client = dial(Options::from_url(&url)?).await?;
        Ok(Arc::new(client) as Arc<dyn Client>)
    })
}
