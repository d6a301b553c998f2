//! Reception on ZooKeeper 3.6 and later, in the formats of Curator and of older fleets.
//!
//! ```no_run
//! use reception_core::{ClientExt, Dialer, Service};
//!
//! # async fn run() -> reception_core::Result<()> {
//! let dialer = Dialer::new().with(reception_zookeeper::BACKEND)?;
//! let client = dialer.dial("zk://h1:2181,h2:2181/prod?ttl=10s").await?;
//! let registration = client.register(Service::new("api", "10.0.0.7", 8080)?).await?;
//! # Ok(()) }
//! ```
//!
//! [`dial`] with [`Options`] does the same without a URL and takes an existing `zookeeper_client::Client`. What maps to what, the options and
//! the limits are in the crate's README; paths and records in `docs/wire`, a page for each layout.

mod client;
mod elect;
mod ensemble;
mod error;
mod layout;
mod options;
mod register;
mod session;
mod watch;

use reception_core::Backend;

pub use client::dial;
pub use ensemble::{Ensemble, Servers, dial_ensemble};
pub use layout::{Candidates, Child, Curator, Layout, Naming, Party, Payload, Reception, Serverset, Slacker};
pub use options::Options;

/// The backend of the schemes `zk` and `zk+tls`.
pub const BACKEND: Backend = Backend::new(
    error::NAME,
    &["zk", options::SECURE],
    "zk://h1:2181,h2:2181/prod?ttl=10s",
    options::OPTIONS,
    |url| Box::pin(client::dial_url(url)),
);
