//! The client of a list: list, watch and names, from memory.

use std::{collections::BTreeSet, fmt, time::Duration};

use reception_core::{
    Capabilities, Client, Clock, ElectOptions, ElectionName, Elector, Endpoint, ListOptions, Probe,
    RegisterOptions, Registration, Result, Service, ServiceName, Snapshot, WatchOptions, Watcher,
    async_trait,
};
use reception_kit::{Backoff, Hub, Lifeline, SnapshotWatcher, Supervisor, record};

use crate::{
    error::{NAME, unsupported},
    options::Options,
    watch::Fixed,
};

/// Makes a client of the list.
///
/// # Errors
/// Config when the name or an instance is none; NoRuntime outside a tokio runtime.
///
/// # Cancel safety
/// Dropped before it is ready, nothing is left.
pub async fn dial(options: Options) -> Result<StaticClient> {
    let list = options.check()?;
    let supervisor = Supervisor::new(NAME)?;
    let watches = Hub::new(supervisor.clone(), Clock::BOOT, Backoff::new());
    let lifeline = supervisor.lifeline();
    Ok(StaticClient { list, supervisor, watches, lifeline })
}

/// A client of a fixed list.
///
/// A clone is another handle of the same client.
#[derive(Clone)]
pub struct StaticClient {
    list: Snapshot,
    supervisor: Supervisor,
    watches: Hub<ServiceName, Fixed>,
    lifeline: Lifeline,
}

impl StaticClient {
    /// The list under its own name, an empty one under any other.
    fn view(&self, name: &ServiceName) -> Snapshot {
        if name == self.list.name() {
            return self.list.clone();
        }
        Snapshot::new(name.clone(), self.list.revision(), [])
    }
}

#[async_trait]
impl Client for StaticClient {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Duration::ZERO)
    }

    async fn register_with(&self, service: Service, _options: RegisterOptions) -> Result<Registration> {
        self.supervisor.check("register")?;
        record::encode(&service)?;
        Err(unsupported("register", "the list is fixed: nobody can register"))
    }

    async fn list_with(&self, name: &ServiceName, _options: ListOptions) -> Result<Snapshot> {
        self.supervisor.check("list")?;
        Ok(self.view(name))
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        self.supervisor.check("watch")?;
        let feed = self.watches.subscribe(name.clone(), self.lifeline.clone(), || Fixed(self.view(name)));
        Ok(Box::new(SnapshotWatcher::new(feed, options)))
    }

    async fn elector_with(&self, name: &ElectionName, _options: ElectOptions) -> Result<Box<dyn Elector>> {
        self.supervisor.check("elector")?;
        ElectionName::new(name.as_str())?;
        Err(unsupported("elector", "a fixed list elects nobody"))
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        self.supervisor.check("names")?;
        let named = (!self.list.is_empty()).then(|| self.list.name().clone());
        Ok(named.into_iter().collect())
    }

    async fn probe(&self) -> Result<Probe> {
        self.supervisor.check("probe")?;
        let endpoint = Endpoint::new(format!("the list of {}", self.list.name()), Ok(Duration::ZERO));
        let probe = Probe::new(vec![endpoint]).server("a fixed list").version(env!("CARGO_PKG_VERSION"));
        Ok(probe.note("nobody asks whether the instances of the list are alive"))
    }

    async fn close(&self) -> Result<()> {
        self.supervisor.close().await;
        Ok(())
    }
}

impl fmt::Debug for StaticClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticClient").field("list", &self.list).finish_non_exhaustive()
    }
}
