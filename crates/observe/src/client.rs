//! The client that traces and counts.

use std::{collections::BTreeSet, sync::Arc};

use reception_core::{
    Capabilities, Client, ElectOptions, ElectionName, Elector, ListOptions, Probe, RegisterOptions,
    Registration, Result, Service, ServiceName, Snapshot, WatchOptions, Watcher, async_trait,
};

use crate::{call::call, count, elector::ObservedElector, stream::ObservedWatcher};

/// Wraps a client so that its calls are traced and counted.
#[must_use]
pub fn observe(client: impl Client) -> Arc<dyn Client> {
    Arc::new(Observed::new(client))
}

/// A client whose calls, watches and elections are traced and counted.
///
/// It answers as the client inside does: same values, same errors, same guards. It starts no task and needs no runtime of its own.
#[derive(Debug, Clone)]
pub struct Observed<C> {
    inner: C,
}

impl<C: Client> Observed<C> {
    /// Wraps a client; an `Arc<dyn Client>` is one too.
    #[must_use]
    pub fn new(client: C) -> Self {
        count::describe();
        Self { inner: client }
    }

    /// The client inside.
    #[must_use]
    pub fn inner(&self) -> &C {
        &self.inner
    }
}

#[async_trait]
impl<C: Client> Client for Observed<C> {
    fn backend(&self) -> &'static str {
        self.inner.backend()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        let call = call!(self.backend(), "register").instance(&service);
        call.run(self.inner.register_with(service, options), |_, _| ()).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        let call = call!(self.backend(), "list").with("service", name);
        let note = |span: &tracing::Span, view: &Snapshot| {
            span.record("revision", view.revision());
        };
        call.run(self.inner.list_with(name, options), note).await
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        let call = call!(self.backend(), "watch").with("service", name);
        let watcher = call.run(self.inner.watch_with(name, options), |_, _| ()).await?;
        Ok(Box::new(ObservedWatcher::new(self.backend(), name.clone(), watcher)))
    }

    async fn elector_with(&self, name: &ElectionName, options: ElectOptions) -> Result<Box<dyn Elector>> {
        let call = call!(self.backend(), "elector").with("election", name);
        let elector = call.run(self.inner.elector_with(name, options), |_, _| ()).await?;
        Ok(Box::new(ObservedElector::new(self.backend(), name.clone(), elector)))
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        call!(self.backend(), "names").run(self.inner.names(), |_, _| ()).await
    }

    async fn probe(&self) -> Result<Probe> {
        call!(self.backend(), "probe").run(self.inner.probe(), |_, _| ()).await
    }

    async fn close(&self) -> Result<()> {
        call!(self.backend(), "close").run(self.inner.close(), |_, _| ()).await
    }
}
