//! Service discovery and leader election over the coordination store that you already run.
//!
//! One process says "I am an instance of `api`, reach me here" and is withdrawn when it dies; others list and watch the live instances;
//! candidates elect one leader, with a fencing token. The same program runs on every store by changing a URL.
//!
//! ```
//! use futures_util::StreamExt;
//! use reception::{ClientExt, Service};
//!
//! # #[tokio::main] async fn main() -> reception::Result<()> {
//! let client = reception::dial("memory:").await?; // or "etcd://h1:2379,h2:2379/prod?ttl=10s"
//! let api = Service::builder("api", "10.0.0.7", 8080).attribute("zone", "a").build()?;
//! let registration = client.register(api.clone()).await?; // repairs itself until closed
//!
//! let mut watcher = client.watch(&"api".parse()?).await?; // a stream of Reset, Patch and Stale
//! assert!(watcher.next().await.is_some());
//!
//! let elector = client.elector(&"reaper".parse()?).await?;
//! let leadership = elector.elect(api).await?; // token(), is_held(), lost(), run(), resign()
//! leadership.resign().await?;
//! registration.close().await?;
//! # client.close().await }
//! ```
//!
//! Each backend is a feature: `memory` (default), `local`, `static`, `etcd`, `consul`, `zookeeper` and `exhibitor`. `observe` adds a wrapper that traces and counts, and counters of what happens
//! inside a client; `health` a gate that registers an instance only while a check of it is good; `serde` adds `Deserialize` to names, tokens and
//! dial URLs.
//!
//! Everything needs a tokio runtime with time and I/O enabled, as `#[tokio::main]` makes one.
//! Dropping a guard posts a wish that a task of the client carries out: close what you hold before `main` returns. `let _ = guard` drops at
//! once; `let _guard` keeps.

mod rows;

pub mod announce;
#[cfg(feature = "health")]
pub mod health;

/// The program of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

use std::sync::Arc;

pub use reception_core::{
    Backend, BoxStream, Capabilities, Change, Client, ClientExt, Clock, DialFn, DialFuture, DialUrl, Dialer,
    ElectOptions, ElectionName, Elector, Endpoint, Error, ErrorKind, Fence, FencingToken, Leader, Leadership,
    LeadershipControl, ListOptions, Moment, Observation, OnConflict, Opt, OptionKind, OptionSpec,
    OptionValue, Patch, Probe, RegisterOptions, Registration, RegistrationControl, RegistrationState,
    Release, Reply, Request, Result, Retry, Secret, Service, ServiceBuilder, ServiceId, ServiceName,
    Snapshot, Status, Tenure, WatchOptions, Watcher, async_trait, limits,
};

#[cfg(feature = "consul")]
pub use reception_consul as consul;
#[cfg(feature = "etcd")]
pub use reception_etcd as etcd;
#[cfg(feature = "exhibitor")]
pub use reception_exhibitor as exhibitor;
#[cfg(feature = "local")]
pub use reception_local as local;
#[cfg(feature = "memory")]
pub use reception_memory as memory;
#[cfg(feature = "observe")]
pub use reception_observe as observe;
#[cfg(feature = "static")]
pub use reception_static as static_list;
#[cfg(feature = "zookeeper")]
pub use reception_zookeeper as zookeeper;

pub use rows::dialer;

/// Starts a client of the store that the URL names, with the backends that are compiled in.
///
/// It checks the URL, its options and the files that they name, and does not wait for the store: a store that cannot be reached shows at the
/// first call. Each backend's `Options` is the builder form of the same.
///
/// ```
/// # #[tokio::main] async fn main() -> reception::Result<()> {
/// let client = reception::dial("memory://demo/prod?ttl=3s").await?;
/// assert_eq!(client.backend(), "memory");
/// # client.close().await }
/// ```
///
/// # Errors
/// Config for a URL, option or file that is wrong and for an unknown scheme; Unsupported, with the name of the feature to turn on, for a
/// backend that is compiled out; NoRuntime outside a tokio runtime. A runtime without time and I/O enabled is not noticed here.
///
/// # Cancel safety
/// Safe: dropping the future leaves nothing.
pub async fn dial(url: &str) -> Result<Arc<dyn Client>> {
    dialer().dial(url).await
}
