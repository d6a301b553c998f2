//! Reception on etcd 3.4 and later.
//!
//! ```no_run
//! use reception_core::{ClientExt, Dialer, Service};
//!
//! # async fn run() -> reception_core::Result<()> {
//! let dialer = Dialer::new().with(reception_etcd::BACKEND)?;
//! let client = dialer.dial("etcd://h1:2379,h2:2379/prod?ttl=10s").await?;
//! let registration = client.register(Service::new("api", "10.0.0.7", 8080)?).await?;
//! # Ok(()) }
//! ```
//!
//! [`dial`] with [`Options`] does the same without a URL and takes an existing `etcd_client::Client`. What maps to what, the options
//! and the limits are in the crate's README.
//!
//! A process that dies is seen for at most the granted time to live and two seconds more; a server that changes its leader meanwhile
//! grants every lease its full time again.

mod client;
mod elect;
mod error;
mod layout;
mod options;
mod register;
mod session;
#[cfg(test)]
mod testing;
mod watch;

use reception_core::Backend;

pub use client::dial;
pub use options::Options;

/// The backend of the schemes `etcd` and `etcd+https`.
pub const BACKEND: Backend = Backend::new(
    error::NAME,
    &["etcd", options::SECURE],
    "etcd://h1:2379,h2:2379/prod?ttl=10s",
    options::OPTIONS,
    |url| Box::pin(client::dial_url(url)),
);
