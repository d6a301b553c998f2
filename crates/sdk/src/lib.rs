#![doc = include_str!("../../../README.md")]

mod rows;

pub mod announce;

use std::sync::Arc;

pub use reception_core::{
    Backend, BoxStream, Capabilities, Change, Client, ClientExt, Clock, DialFn, DialFuture, DialUrl, Dialer,
    ElectOptions, ElectionName, Elector, Endpoint, Error, ErrorKind, Fence, FencingToken, Leader, Leadership,
    LeadershipControl, ListOptions, Moment, Observation, OnConflict, Opt, OptionKind, OptionSpec,
    OptionValue, Patch, Probe, RegisterOptions, Registration, RegistrationControl, RegistrationState,
    Release, Reply, Request, Result, Retry, Secret, Service, ServiceBuilder, ServiceId, ServiceName,
    Snapshot, Status, Tenure, WatchOptions, Watcher, async_trait, limits,
};

#[cfg(feature = "etcd")]
pub use reception_etcd as etcd;
#[cfg(feature = "memory")]
pub use reception_memory as memory;
#[cfg(feature = "observe")]
pub use reception_observe as observe;

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
/// backend that is compiled out; NoRuntime outside a tokio runtime.
///
/// # Cancel safety
/// Safe: dropping the future leaves nothing.
pub async fn dial(url: &str) -> Result<Arc<dyn Client>> {
    dialer().dial(url).await
}
