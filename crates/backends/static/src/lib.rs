//! Reception over a fixed list: the instances of one service stand in the URL, and nothing ever changes.
//!
//! For a program that discovers its peers where there is no store: on a developer's machine, in a test, or where two addresses are all there
//! will ever be. The same program runs on a store by changing the URL.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> reception_core::Result<()> {
//! use reception_core::{ClientExt, Dialer};
//!
//! let dialer = Dialer::new().with(reception_static::BACKEND)?;
//! let client = dialer.dial("static://h1:80,[fd00::7]:80/?name=api").await?;
//! let api = client.list(&"api".parse()?).await?;
//! assert_eq!(api.get("h1:80").map(|one| one.address()), Some("h1"));
//! assert_eq!(api.get("[fd00::7]:80").map(|one| one.address()), Some("fd00::7"));
//! client.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! To register and to elect are Unsupported.

mod client;
mod error;
mod options;
mod watch;

use std::sync::Arc;

use reception_core::{Backend, Client, DialFuture, DialUrl};

pub use client::{StaticClient, dial};
pub use options::Options;

/// The `static:` backend, for a [`Dialer`](reception_core::Dialer).
pub const BACKEND: Backend =
    Backend::new(error::NAME, &["static"], "static://h1:80,h2:80/?name=api", options::OPTIONS, dial_url);

fn dial_url(url: DialUrl) -> DialFuture {
    Box::pin(async move {
        let client = dial(Options::from_url(&url)?).await?;
        Ok(Arc::new(client) as Arc<dyn Client>)
    })
}
