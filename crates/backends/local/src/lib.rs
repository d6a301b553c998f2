//! Reception on one machine, without a server: files in a folder, and the locks that processes hold on them.
//!
//! Every process that opens the folder shares the registry. An instance lives as long as its process holds the lock on its record, so one that is
//! killed is gone at once: the operating system lets its locks go. Changes arrive by notices of the file system, and who holds an
//! election's lock leads.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use reception_core::{ClientExt, Dialer, Service};
//!
//! # let desk = tempfile::tempdir()?;
//! # let folder = desk.path().join("demo");
//! # let folder = folder.display();
//! let dialer = Dialer::new().with(reception_local::BACKEND)?;
//! let client = dialer.dial(&format!("local://{folder}?namespace=prod&any_fs=true")).await?;
//! let api = Service::builder("api", "127.0.0.1", 8080).build()?;
//!
//! let registration = client.register(api).await?; // held until closed, dropped, or the process ends
//! assert_eq!(client.list(&"api".parse()?).await?.len(), 1);
//! registration.close().await?;
//! client.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `local:` alone is the user's own folder. Which one that is, what is refused and what a fork does is in the crate's README.
//!
//! For Linux and macOS; elsewhere dialling is Unsupported.

#[cfg(any(target_os = "linux", target_os = "macos"))]
mod client;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod elect;
mod error;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod filesystem;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod folder;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod layout;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod listener;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod notices;
mod options;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod records;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod register;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod session;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod spent;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod watch;

use reception_core::{Backend, DialFuture, DialUrl};

#[cfg(any(target_os = "linux", target_os = "macos"))]
pub use client::{LocalClient, dial};
pub use options::Options;
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub use spent::Spent;

/// The `local:` backend, for a [`Dialer`](reception_core::Dialer).
pub const BACKEND: Backend =
    Backend::new(error::NAME, &["local"], "local:///some/folder?namespace=prod", options::OPTIONS, dial_url);

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn dial_url(url: DialUrl) -> DialFuture {
    Box::pin(async move {
        let client = dial(Options::from_url(&url)?).await?;
        Ok(std::sync::Arc::new(client) as std::sync::Arc<dyn reception_core::Client>)
    })
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn dial_url(url: DialUrl) -> DialFuture {
    Box::pin(async move {
        Options::from_url(&url)?;
        Err(error::elsewhere())
    })
}
