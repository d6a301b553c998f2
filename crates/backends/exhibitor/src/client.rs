//! The client: that of ZooKeeper on the servers that Exhibitor tells.

use std::{collections::BTreeSet, fmt, sync::Arc};

use reception_core::{
    Capabilities, Client, Clock, DialUrl, ElectOptions, ElectionName, Elector, ListOptions, Probe,
    RegisterOptions, Registration, Result, Service, ServiceName, Snapshot, WatchOptions, Watcher,
    async_trait,
};

use crate::{error::NAME, options::Options, state::State};

struct ExhibitorClient {
    zookeeper: Arc<dyn Client>,
    state: Arc<State>,
}

/// Checks the options and the files that they name, and starts a client. It waits for no Exhibitor and no store.
///
/// # Errors
///
/// Config for an option or file that is wrong; NoRuntime outside a tokio runtime.
///
/// # Cancel safety
///
/// Safe: dropping the future leaves nothing.
pub async fn dial(options: Options) -> Result<Arc<dyn Client>> {
    let state = Arc::new(State::new(Clock::BOOT));
    let finder = options.finder(&state)?;
    let zookeeper = reception_zookeeper::dial_ensemble(options.zookeeper, finder).await?;
    Ok(Arc::new(ExhibitorClient { zookeeper, state }))
}

pub(crate) async fn dial_url(url: DialUrl) -> Result<Arc<dyn Client>> {
    dial(Options::from_url(&url)?).await
}

#[async_trait]
impl Client for ExhibitorClient {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        self.zookeeper.capabilities()
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        self.zookeeper.register_with(service, options).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        self.zookeeper.list_with(name, options).await
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        self.zookeeper.watch_with(name, options).await
    }

    async fn elector_with(&self, name: &ElectionName, options: ElectOptions) -> Result<Box<dyn Elector>> {
        self.zookeeper.elector_with(name, options).await
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        self.zookeeper.names().await
    }

    async fn probe(&self) -> Result<Probe> {
        let probe = self.zookeeper.probe().await.map_err(|error| self.state.explain(error))?;
        Ok(self.state.tell(probe).server("ZooKeeper by Exhibitor"))
    }

    async fn close(&self) -> Result<()> {
        self.zookeeper.close().await
    }
}

impl fmt::Debug for ExhibitorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExhibitorClient").field("zookeeper", &self.zookeeper).finish_non_exhaustive()
    }
}
