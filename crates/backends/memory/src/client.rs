//! The client: wires the session, the watches and the elections of one dial together.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use reception_core::{
    Capabilities, Client, ElectOptions, ElectionName, Elector, Endpoint, ListOptions, Probe, RegisterOptions,
    Registration, Result, Service, ServiceName, Snapshot, Status, WatchOptions, Watcher, async_trait,
};
use reception_kit::{Backoff, Hub, Keeping, Lifeline, SnapshotWatcher, Supervisor, record, register};

use crate::{
    cluster::Cluster,
    elect::MemoryElector,
    error::NAME,
    layout::Namespace,
    line::Line,
    options::Options,
    register::Place,
    session::Session,
    watch::{Instances, Leaders, snapshot},
};

/// The least span between two comparisons of a record with the store: news tells what happens, this is for what it may miss.
const RECONCILE: Duration = Duration::from_secs(15);

/// Dials the store that the options name, or one of its own.
///
/// # Errors
/// Config when an option is out of range; NoRuntime outside a tokio runtime.
///
/// # Cancel safety
/// Dropped before it is ready, nothing is left.
pub async fn dial(options: Options) -> Result<MemoryClient> {
    let cluster = options.name.as_deref().map_or_else(Cluster::new, Cluster::named);
    cluster.client(options)
}

/// A client of an in-process store.
///
/// A clone is another handle of the same client.
#[derive(Clone)]
pub struct MemoryClient {
    shared: Arc<Shared>,
    lifeline: Lifeline,
}

/// What the parts of one client share. It keeps no client alive: handles, guards and streams do that.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) supervisor: Supervisor,
    pub(crate) options: Options,
    pub(crate) space: Namespace,
    pub(crate) line: Line,
    pub(crate) session: Arc<Session>,
    services: Hub<ServiceName, Instances>,
    pub(crate) elections: Hub<ElectionName, Leaders>,
}

impl MemoryClient {
    pub(crate) fn start(cluster: Cluster, options: Options) -> Result<Self> {
        let space = options.check()?;
        let supervisor = Supervisor::new(NAME)?;
        let id = cluster.next_id();
        let condition = cluster.join(id, space.clone(), supervisor.clone());
        let clock = cluster.clock().clone();
        let line = Line::new(cluster, condition, options.timeout);
        let (session, absence) = Session::new(line.clone(), id, space.clone(), &options);
        let session = Arc::new(session);
        supervisor.spawn("session", Arc::clone(&session).run(supervisor.closing(), absence));
        let backoff = Backoff::with_bounds(options.renewal() / 16, options.renewal());
        let shared = Shared {
            services: Hub::new(supervisor.clone(), clock.clone(), backoff.clone()),
            elections: Hub::new(supervisor.clone(), clock, backoff),
            supervisor,
            options,
            space,
            line,
            session,
        };
        let lifeline = shared.supervisor.lifeline();
        Ok(Self { shared: Arc::new(shared), lifeline })
    }

    /// The store that this client works on.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        self.shared.line.cluster()
    }

    pub(crate) fn id(&self) -> u64 {
        self.shared.session.client()
    }
}

#[async_trait]
impl Client for MemoryClient {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(self.shared.options.ttl).candidates(true)
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        let Shared { supervisor, line, session, space, options: own, .. } = &*self.shared;
        supervisor.check("register")?;
        record::encode(&service)?;
        let place = space.instance(service.name(), service.id());
        let hold = session.held().take(&place, options.on_conflict, own.timeout).await?;
        let slot = Place::new(line.clone(), Arc::clone(session), place, hold);
        let keeping = Keeping {
            clock: self.cluster().clock().clone(),
            backoff: Backoff::with_bounds(own.renewal() / 16, own.renewal()),
            timeout: own.timeout,
            crash_bound: own.ttl,
            reconcile: (own.ttl / 3).max(RECONCILE),
        };
        register(supervisor, self.lifeline.clone(), service, options, slot, keeping).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        let folder = self.shared.space.service(name);
        let read = self.shared.line.ask("list", |store, _| (store.range(&folder), store.position()));
        let (entries, position) = self.shared.supervisor.serve("list", read).await?;
        let (all, unreadable) = snapshot(name, &folder, &entries, position);
        if options.any_status {
            return Ok(all);
        }
        let up = all.iter().filter(|service| service.status() == Status::Up).cloned();
        Ok(Snapshot::new(name.clone(), position.revision, up).with_unreadable(unreadable.len()))
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        let Shared { supervisor, line, space, services, .. } = &*self.shared;
        supervisor.check("watch")?;
        let source = || Instances::new(line.clone(), name.clone(), space.service(name));
        let feed = services.subscribe(name.clone(), self.lifeline.clone(), source);
        Ok(Box::new(SnapshotWatcher::new(feed, options)))
    }

    async fn elector_with(&self, name: &ElectionName, _options: ElectOptions) -> Result<Box<dyn Elector>> {
        self.shared.supervisor.check("elector")?;
        ElectionName::new(name.as_str())?;
        Ok(Box::new(MemoryElector::new(Arc::clone(&self.shared), self.lifeline.clone(), name.clone())))
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        let folder = self.shared.space.services();
        let read = self.shared.line.ask("names", |store, _| store.folders(&folder));
        let names = self.shared.supervisor.serve("names", read).await?;
        Ok(names.iter().filter_map(|name| ServiceName::foreign(name).ok()).collect())
    }

    async fn probe(&self) -> Result<Probe> {
        let sent = self.shared.line.now();
        self.shared.supervisor.serve("probe", self.shared.line.ask("probe", |_, _| ())).await?;
        let took = self.shared.line.now().saturating_since(sent);
        let endpoint = Endpoint::new(self.cluster().endpoint(), Ok(took));
        let probe = Probe::new(vec![endpoint]).server("memory").version(env!("CARGO_PKG_VERSION"));
        Ok(probe.identity(format!("client {}", self.id())).lease(self.shared.options.ttl))
    }

    async fn close(&self) -> Result<()> {
        self.shared.supervisor.close().await;
        self.shared.session.ended().unwrap_or(Ok(()))
    }
}

impl fmt::Debug for MemoryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryClient")
            .field("endpoint", &self.cluster().endpoint())
            .field("namespace", &self.shared.space.path())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
