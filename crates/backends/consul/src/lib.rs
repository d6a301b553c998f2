//! Reception on Consul 1.8 and later: native services with health, and locks that hand over in seconds.
//!
//! ```no_run
//! use reception_core::{ClientExt, Dialer, Service};
//!
//! # async fn run() -> reception_core::Result<()> {
//! let dialer = Dialer::new().with(reception_consul::BACKEND)?;
//! let client = dialer.dial("consul://127.0.0.1:8500/prod?ttl=10s").await?;
//! let registration = client.register(Service::new("api", "10.0.0.7", 8080)?).await?;
//! # Ok(()) }
//! ```
//!
//! [`dial`] with [`Options`] does the same without a URL. What maps to what, the options and the limits are in the crate's README; names,
//! keys and records in `docs/wire/consul.md`.

mod api;
mod client;
mod elect;
mod error;
mod http;
mod layout;
mod options;
mod register;
mod session;
mod watch;

use reception_core::Backend;

pub use client::dial;
pub use layout::Layout;
pub use options::{Check, Options};

/// The backend of the schemes `consul` and `consul+tls`.
pub const BACKEND: Backend = Backend::new(
    error::NAME,
    &["consul", options::SECURE],
    "consul://127.0.0.1:8500/prod?ttl=10s",
    options::OPTIONS,
    |url| Box::pin(client::dial_url(url)),
);
