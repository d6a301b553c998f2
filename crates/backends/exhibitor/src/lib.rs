//! Reception on a ZooKeeper whose servers an Exhibitor tells.
//!
//! ```no_run
//! use reception_core::{ClientExt, Dialer, Service};
//!
//! # async fn run() -> reception_core::Result<()> {
//! let dialer = Dialer::new().with(reception_exhibitor::BACKEND)?;
//! let client = dialer.dial("exhibitor://e1:8080,e2:8080/prod?ttl=10s").await?;
//! let registration = client.register(Service::new("api", "10.0.0.7", 8080)?).await?;
//! # Ok(()) }
//! ```
//!
//! The Exhibitors are asked again and again which servers there are; everything else is as `reception-zookeeper` does it. [`dial`] with
//! [`Options`] does the same without a URL. How the servers are found, the options and the limits are in the crate's README.

mod ask;
mod client;
mod error;
mod finder;
mod list;
mod options;
mod state;

use reception_core::Backend;

pub use client::dial;
pub use options::Options;
pub use reception_zookeeper as zookeeper;

/// The backend of the schemes `exhibitor` and `exhibitor+tls`.
pub const BACKEND: Backend = Backend::new(
    error::NAME,
    &["exhibitor", options::SECURE],
    "exhibitor://e1:8080,e2:8080/prod?poll=10s",
    options::OPTIONS,
    |url| Box::pin(client::dial_url(url)),
);
