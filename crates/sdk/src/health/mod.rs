//! A health gate: an instance that is registered only while a check says that it is well.
//!
//! [`gate`](fn@gate) tries the check again and again. After [`rise`](GateOptions::rise) good tries in a row it registers the instance, after
//! [`fall`](GateOptions::fall) bad ones it withdraws it, for as long as the [`Gate`] is held. A check is a closure, one of
//! [`Command`], [`Http`] and [`Tcp`], or any type with the trait [`Check`]. It works with every client, since it uses the
//! [`Client`] trait alone.
//!
//! ```
//! use futures_util::StreamExt;
//! use reception::{ClientExt, Service, health::{self, GateChange, GateOptions}};
//!
//! # #[tokio::main] async fn main() -> reception::Result<()> {
//! let client = reception::dial("memory:").await?;
//! let api = Service::new("api", "10.0.0.7", 8080)?;
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(); // the service itself
//! let check = health::Tcp::new(&listener.local_addr().unwrap().to_string())?;
//! let options = GateOptions::default().rise(1);
//! let gate = health::gate(client.clone(), api, check, options)?;
//!
//! let mut changes = gate.changes();
//! while let Some(change) = changes.next().await {
//!     match change {
//!         GateChange::Registered(service) => {
//!             println!("{} takes calls", service.id());
//!             break;
//!         }
//!         other => println!("{other:?}"),
//!     }
//! }
//! gate.close().await?; // withdrawn
//! assert!(client.list(&"api".parse()?).await?.is_empty());
//! # client.close().await }
//! ```
//!
//! ```text
//!            rise good tries                    Ok
//!   shut ──────────────────► registering ─────────────► registered
//!    ▲                        │  ▲  │ Conflict, or       │   │
//!    │                        └──┘  │ a lasting error    │   └─ another owner
//!    │             away: again,     ▼                    │      ▼
//!    │             with backoff    lost                  │     lost
//!    └──────────────────── withdrawing ◄─────────────────┘
//!                                         fall bad tries
//! ```
//!
//! One task drives a gate. While a call to the store is under way the tries go on, and what they say then is done when the call has
//! answered, so that no registration is left behind that nobody has in hand.

mod board;
mod check;
mod command;
mod gate;
mod http;
mod options;
mod place;
mod tally;
mod target;
mod tcp;
mod tries;

pub use check::{Always, Check, always};
pub use command::Command;
pub use gate::{Gate, GateChange, gate};
pub use http::Http;
pub use options::GateOptions;
pub use tcp::Tcp;

#[cfg(doc)]
use reception_core::Client;
use reception_core::{Error, ErrorKind};

/// The name that errors of the gate's own carry as their backend.
const HEALTH: &str = "health";

fn config(context: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, HEALTH, "gate", context)
}
