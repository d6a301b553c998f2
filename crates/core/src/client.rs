//! The client: what every backend is.

use std::{collections::BTreeSet, fmt, future::Future, future::poll_fn, pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures_core::Stream as _;

use crate::{
    elector::Elector,
    error::{CORE, Error, ErrorKind, Result},
    facts::{Capabilities, Probe},
    name::{ElectionName, ServiceName},
    options::{ElectOptions, ListOptions, RegisterOptions, WatchOptions},
    registration::Registration,
    service::Service,
    snapshot::Snapshot,
    watcher::{Change, Watcher},
};

/// A client of one store. [`ClientExt`] has the short forms.
///
/// Calls answer within the client's timeout for each request to the store, at the latest with Unavailable or Timeout; `watch_with` and
/// `elector_with` return at once. A client lives as long as a handle, guard, elector or stream of it; dropping the last of them closes it as
/// [`close`](Client::close) does, without waiting. After `close` every call answers Closed (law L13).
///
/// The trait has no default methods, so that a wrapper which forgets one does not compile.
#[async_trait]
pub trait Client: fmt::Debug + Send + Sync + 'static {
    /// The name of the backend, such as `etcd`.
    fn backend(&self) -> &'static str;

    /// What the backend can do: facts, known without asking the store.
    fn capabilities(&self) -> Capabilities;

    /// Registers an instance; Ok means that the store shows it (law L1). The guard repairs it until closed (L7).
    ///
    /// # Errors
    /// Conflict when another owner holds the id (L8), at once when this client does; Unavailable, Timeout, Denied, Unauthenticated, TooLarge,
    /// Closed, NoRuntime, Unsupported.
    ///
    /// # Cancel safety
    /// Dropped at any await, what was written is withdrawn.
    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration>;

    /// Reads the instances of a service; empty when nobody knows the name. Shows status Up only, unless told otherwise.
    ///
    /// # Errors
    /// Unavailable, Timeout, Denied, Unauthenticated, Closed, NoRuntime, Unsupported.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot>;

    /// Watches a service. It returns at once: a store that cannot be reached shows as Stale, also as the first item.
    ///
    /// # Errors
    /// Closed, NoRuntime, Unsupported.
    ///
    /// # Cancel safety
    /// Safe: dropping the future leaves nothing.
    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>>;

    /// An elector of one election. Asks nothing of the store yet.
    ///
    /// # Errors
    /// Closed, NoRuntime, Unsupported.
    ///
    /// # Cancel safety
    /// Safe: dropping the future leaves nothing.
    async fn elector_with(&self, name: &ElectionName, options: ElectOptions) -> Result<Box<dyn Elector>>;

    /// The names of all services that have an instance, whatever its status.
    ///
    /// # Errors
    /// As [`list_with`](Client::list_with).
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    async fn names(&self) -> Result<BTreeSet<ServiceName>>;

    /// Asks the store in one round trip: endpoints, version, who we are, what was granted.
    ///
    /// # Errors
    /// As [`list_with`](Client::list_with), when no endpoint answered.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    async fn probe(&self) -> Result<Probe>;

    /// Withdraws every guard, ends every stream and joins every task. Ok means that nothing of this client is left (law L14).
    ///
    /// It is idempotent: a second call answers as the first did, at once or when that one is done.
    ///
    /// # Errors
    /// Unavailable or Timeout when something could not be withdrawn: the store forgets it within the crash bound. Closed all the same.
    ///
    /// # Cancel safety
    /// Dropped after its first poll the closing goes on.
    async fn close(&self) -> Result<()>;
}

macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        impl<C: Client + ?Sized> Client for $pointer<C> {
            fn backend(&self) -> &'static str {
                (**self).backend()
            }
            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
            async fn register_with(
                &self,
                service: Service,
                options: RegisterOptions,
            ) -> Result<Registration> {
                (**self).register_with(service, options).await
            }
            async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
                (**self).list_with(name, options).await
            }
            async fn watch_with(
                &self,
                name: &ServiceName,
                options: WatchOptions,
            ) -> Result<Box<dyn Watcher>> {
                (**self).watch_with(name, options).await
            }
            async fn elector_with(
                &self,
                name: &ElectionName,
                options: ElectOptions,
            ) -> Result<Box<dyn Elector>> {
                (**self).elector_with(name, options).await
            }
            async fn names(&self) -> Result<BTreeSet<ServiceName>> {
                (**self).names().await
            }
            async fn probe(&self) -> Result<Probe> {
                (**self).probe().await
            }
            async fn close(&self) -> Result<()> {
                (**self).close().await
            }
        }
    };
}
forward!(Arc);
forward!(Box);

/// The short forms of [`Client`]'s methods, for every client.
pub trait ClientExt: Client {
    /// [`register_with`](Client::register_with) the default options.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    fn register(&self, service: Service) -> impl Future<Output = Result<Registration>> + Send {
        async move { self.register_with(service, RegisterOptions::default()).await }
    }

    /// [`list_with`](Client::list_with) the default options.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    fn list(&self, name: &ServiceName) -> impl Future<Output = Result<Snapshot>> + Send {
        async move { self.list_with(name, ListOptions::default()).await }
    }

    /// [`watch_with`](Client::watch_with) the default options.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    fn watch(&self, name: &ServiceName) -> impl Future<Output = Result<Box<dyn Watcher>>> + Send {
        async move { self.watch_with(name, WatchOptions::default()).await }
    }

    /// [`elector_with`](Client::elector_with) the default options.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    fn elector(&self, name: &ElectionName) -> impl Future<Output = Result<Box<dyn Elector>>> + Send {
        async move { self.elector_with(name, ElectOptions::default()).await }
    }

    /// Watches a service until `ready` says yes to a view, and returns that view. A store that cannot be reached is waited for: put a
    /// deadline of your own around it.
    ///
    /// # Errors
    /// Only what ends a watch: Closed, Unsupported, NoRuntime, Internal.
    ///
    /// # Cancel safety
    /// Safe: dropping the future drops the watch.
    fn wait_until(
        &self,
        name: &ServiceName,
        mut ready: impl FnMut(&Snapshot) -> bool + Send,
    ) -> impl Future<Output = Result<Snapshot>> + Send {
        async move {
            let mut watcher = self.watch(name).await?;
            loop {
                match poll_fn(|cx| Pin::new(&mut watcher).poll_next(cx)).await {
                    Some(Ok(Change::Stale(_))) => {}
                    Some(Ok(_)) => {
                        if let Some(view) = watcher.current().filter(|view| ready(view)) {
                            return Ok(view.clone());
                        }
                    }
                    Some(Err(error)) => return Err(error),
                    None => return Err(Error::new(ErrorKind::Closed, CORE, "watch", "the watch has ended")),
                }
            }
        }
    }
}

impl<C: Client + ?Sized> ClientExt for C {}
