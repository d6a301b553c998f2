//! The client: the wiring between the rooms.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use reception_core::{
    Capabilities, Client, DialUrl, ElectOptions, ElectionName, Elector, ListOptions, Probe, RegisterOptions,
    Registration, Result, Service, ServiceName, Snapshot, WatchOptions, Watcher,
};
use reception_kit::Lifeline;

use crate::{
    elect,
    error::{NAME, unwritten},
    options::Options,
    register,
    session::Session,
    watch,
};

/// A client of one store.
#[derive(Debug)]
pub(crate) struct StoreClient {
    session: Session,
    /// Electors, guards and streams hold one each as well: the last one that is dropped closes the client.
    _lifeline: Lifeline,
}

/// Checks the URL and starts a client; it does not wait for the store.
pub(crate) async fn dial(url: DialUrl) -> Result<Arc<dyn Client>> {
    let session = Session::start(Options::from_url(&url)?)?;
    let lifeline = session.lifeline();
    Ok(Arc::new(StoreClient { session, _lifeline: lifeline }))
}

#[async_trait]
impl Client for StoreClient {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        // How long a dead process may still be seen, by the store's own clock.
        Capabilities::new(self.session.options.timeout)
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        register::register(&self.session, &service, options).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        watch::list(&self.session, name, options).await
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        watch::watch(&self.session, name, options)
    }

    async fn elector_with(&self, name: &ElectionName, options: ElectOptions) -> Result<Box<dyn Elector>> {
        elect::elector(&self.session, name, options)
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        watch::names(&self.session).await
    }

    async fn probe(&self) -> Result<Probe> {
        self.session.check("probe")?;
        Err(unwritten("probe", &format!("asking {}", self.session.options.hosts.join(", "))))
    }

    async fn close(&self) -> Result<()> {
        self.session.close().await
    }
}
