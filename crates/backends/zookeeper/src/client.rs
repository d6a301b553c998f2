//! The client: wires the parts together.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use reception_core::{
    Capabilities, Client, Clock, DialUrl, ElectOptions, ElectionName, Elector, Endpoint, ErrorKind,
    ListOptions, Probe, RegisterOptions, Registration, Result, Service, ServiceName, Snapshot, Status,
    WatchOptions, Watcher, async_trait,
};
use reception_kit::{Backoff, Hub, Keeping, Lifeline, SnapshotWatcher, Supervisor, register};

use crate::{
    elect::{Election, Observers},
    ensemble::{Ensemble, Finding, begin},
    error::{NAME, error},
    layout::Paths,
    options::Options,
    register::Place,
    session::{Hosts, Session},
    watch::{Instances, list, names},
};

/// All watchers lose a server at one moment: their first tries to read again are spread over this span.
const SPREAD: Duration = Duration::from_millis(500);
/// The longest wait before a stream is opened again.
const RETRY: Duration = Duration::from_secs(5);
/// What the server adds to a session: it looks once a tick, usually 2 s, then commits.
const EXPIRY_SLACK: Duration = Duration::from_secs(3);
const DIAL: &str = "dial";

struct ZooKeeperClient {
    session: Arc<Session>,
    instances: Hub<ServiceName, Instances>,
    observers: Observers,
    user: Option<String>,
    lifeline: Lifeline,
}

/// Checks the options and the files that they name, and starts a client. It does not wait for the store.
///
/// # Errors
///
/// Config for an option or file that is wrong; NoRuntime outside a tokio runtime.
///
/// # Cancel safety
///
/// Safe: dropping the future leaves nothing.
pub async fn dial(options: Options) -> Result<Arc<dyn Client>> {
    if options.client.is_none() && options.hosts.is_empty() {
        return Err(error(ErrorKind::Config, DIAL, "no host is given: zk://HOST:2181"));
    }
    let hosts = Hosts::Fixed(options.addresses().join(","));
    start(&options, hosts, None)
}

/// A client on the servers that an ensemble finds.
pub(crate) fn dial_found(options: &Options, ensemble: impl Ensemble) -> Result<Arc<dyn Client>> {
    if options.client.is_some() {
        return Err(error(ErrorKind::Config, DIAL, "an existing client brings its own servers"));
    }
    let (found, finding) = begin(ensemble);
    start(options, Hosts::Found(found), Some(finding))
}

fn start(options: &Options, hosts: Hosts, finding: Option<Finding>) -> Result<Arc<dyn Client>> {
    let paths = options.checked()?;
    let supervisor = Supervisor::new(NAME)?;
    let back = Supervisor::new(NAME)?;
    let (recipe, user) = options.recipe(hosts)?;
    let clock = Clock::BOOT;
    let times = (options.timeout, options.ttl);
    let session = Session::new(paths, (supervisor.clone(), back), clock.clone(), times, recipe, finding);
    let backoff = Backoff::with_bounds(SPREAD, RETRY);
    Ok(Arc::new(ZooKeeperClient {
        instances: Hub::new(supervisor.clone(), clock.clone(), backoff.clone()),
        observers: Hub::new(supervisor.clone(), clock, backoff),
        user,
        lifeline: supervisor.lifeline(),
        session,
    }))
}

pub(crate) async fn dial_url(url: DialUrl) -> Result<Arc<dyn Client>> {
    dial(Options::from_url(&url)?).await
}

impl ZooKeeperClient {
    /// A server may grant more than was asked for, which shows when the session is made.
    fn crash_bound(&self) -> Duration {
        self.session.ttl.max(self.session.last_grant().unwrap_or_default()) + EXPIRY_SLACK
    }
}

#[async_trait]
impl Client for ZooKeeperClient {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(self.crash_bound()).candidates(true).early_revocation(true)
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        self.session.supervisor.check("register")?;
        // Before anything is taken: a record that cannot be written is told at once.
        self.session.paths.layout.encode(&service)?;
        Paths::check("register", service.name().as_str())?;
        Paths::check("register", service.id().as_str())?;
        let place = Place::take(&self.session, &service)?;
        let keeping = Keeping {
            clock: self.session.clock.clone(),
            backoff: Backoff::new(),
            timeout: self.session.timeout,
            crash_bound: self.crash_bound(),
            // The watch on the own record survives every break of the link, and the session tells its own loss.
            reconcile: Duration::ZERO,
        };
        register(&self.session.supervisor, self.lifeline.clone(), service, options, place, keeping).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        Paths::check("list", name.as_str())?;
        let (session, of) = (Arc::clone(&self.session), name.clone());
        let all = self.session.serve("list", async move { list(&session, &of).await }).await?;
        if options.any_status || all.iter().all(|service| service.status() == Status::Up) {
            return Ok(all);
        }
        let up = all.iter().filter(|service| service.status() == Status::Up).cloned();
        Ok(Snapshot::new(name.clone(), all.revision(), up).with_unreadable(all.unreadable()))
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        self.session.supervisor.check("watch")?;
        Paths::check("watch", name.as_str())?;
        let make = || Instances::new(&self.session, name);
        let feed = self.instances.subscribe(name.clone(), self.lifeline.clone(), make);
        Ok(Box::new(SnapshotWatcher::new(feed, options)))
    }

    async fn elector_with(&self, name: &ElectionName, _options: ElectOptions) -> Result<Box<dyn Elector>> {
        self.session.supervisor.check("elector")?;
        // An election is what candidates write; a name that breaks the limits would split or hide it.
        ElectionName::new(name.as_str())?;
        Ok(Box::new(Election::new(&self.session, name, self.observers.clone(), self.lifeline.clone())))
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        let session = Arc::clone(&self.session);
        self.session.serve("names", async move { names(&session).await }).await
    }

    async fn probe(&self) -> Result<Probe> {
        const OPERATION: &str = "probe";
        let session = Arc::clone(&self.session);
        let ask = async move {
            let until = session.until();
            // The first call makes the session, which is not part of a round trip.
            let live = session.live(OPERATION, until).await?;
            let begun = session.clock.now();
            let look = |client: zookeeper_client::Client| async move { client.check_stat("/").await };
            session.read(OPERATION, until, "reading /", look).await?;
            let took = session.clock.now().saturating_since(begun);
            let server = live.server.as_deref().map_or_else(|| session.tried(), str::to_owned);
            Ok((live.ttl, Endpoint::new(server, Ok(took))))
        };
        let (ttl, endpoint) = self.session.serve(OPERATION, ask).await?;
        let mut probe = Probe::new(vec![endpoint]).server("ZooKeeper");
        probe.lease = Some(ttl);
        probe.identity.clone_from(&self.user);
        Ok(probe)
    }

    async fn close(&self) -> Result<()> {
        self.session.close().await
    }
}

impl fmt::Debug for ZooKeeperClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZooKeeperClient").field("session", &self.session).finish_non_exhaustive()
    }
}
