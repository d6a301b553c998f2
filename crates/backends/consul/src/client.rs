//! The client: wires the parts together.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use reception_core::{
    Capabilities, Client, DialUrl, ElectOptions, ElectionName, Elector, ListOptions, Probe, RegisterOptions,
    Registration, Result, Service, ServiceName, Snapshot, Status, WatchOptions, Watcher, async_trait,
};
use reception_kit::{Backoff, Hub, Keeping, Lifeline, SnapshotWatcher, Supervisor, register};

use crate::{
    api::parse_agent,
    elect::{Election, Observers},
    error::NAME,
    http::{Call, Path},
    options::{Check, Options},
    register::Place,
    session::Session,
    watch::{Instances, list, names},
};

/// All watchers lose an agent at one moment: their first tries to read again are spread over this span.
const SPREAD: Duration = Duration::from_secs(1);
/// The longest wait before a question is asked again.
const RETRY: Duration = Duration::from_secs(5);

struct ConsulClient {
    session: Arc<Session>,
    instances: Hub<ServiceName, Instances>,
    observers: Observers,
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
    options.checked()?;
    let supervisor = Supervisor::new(NAME)?;
    let back = Supervisor::new(NAME)?;
    let session = Session::new(options, supervisor.clone(), back)?;
    let lifeline = supervisor.lifeline();
    session.begin();
    let backoff = Backoff::with_bounds(SPREAD, RETRY);
    let clock = session.clock.clone();
    Ok(Arc::new(ConsulClient {
        instances: Hub::new(supervisor.clone(), clock.clone(), backoff.clone()),
        observers: Hub::new(supervisor, clock, backoff),
        session,
        lifeline,
    }))
}

pub(crate) async fn dial_url(url: DialUrl) -> Result<Arc<dyn Client>> {
    dial(Options::from_url(&url)?).await
}

#[async_trait]
impl Client for ConsulClient {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(self.session.crash_bound()).early_revocation(true)
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        self.session.supervisor.check("register")?;
        let place = Place::take(&self.session, &service)?;
        let keeping = Keeping {
            clock: self.session.clock.clone(),
            backoff: Backoff::new(),
            timeout: self.session.timeout(),
            crash_bound: self.session.patience(),
            // One question compares all registrations of the client.
            reconcile: Duration::ZERO,
        };
        register(&self.session.supervisor, self.lifeline.clone(), service, options, place, keeping).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
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
            let (http, limit) = (&session.http, session.timeout());
            let (endpoints, answer) = http.probe(&Call::get(OPERATION, Path::of("agent/self")), limit).await;
            let Some(answer) = answer else { return Ok((endpoints, None)) };
            session.check_enterprise(OPERATION).await?;
            if let Some(datacenter) = &session.options.datacenter {
                http.know_datacenter(OPERATION, datacenter, limit).await?;
            }
            Ok((endpoints, Some((answer, http.identity(OPERATION, limit).await?))))
        };
        let (endpoints, answer) = self.session.serve(OPERATION, ask).await?;
        let Some((answer, identity)) = answer else {
            // Nobody answered: the first error says why.
            let failed = endpoints.iter().find_map(|endpoint| endpoint.outcome.clone().err());
            return failed.map_or_else(|| Ok(Probe::new(endpoints)), Err);
        };
        let agent = parse_agent(OPERATION, &answer.body)?;
        let mut probe = Probe::new(endpoints).server("Consul").version(agent.version);
        probe.identity = identity;
        probe.lease = (self.session.options.check != Check::None).then(|| self.session.lease());
        probe.notes.push(format!("node {} in {}", agent.node, agent.datacenter));
        Ok(probe)
    }

    async fn close(&self) -> Result<()> {
        self.session.close().await
    }
}

impl fmt::Debug for ConsulClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsulClient").field("session", &self.session).finish_non_exhaustive()
    }
}
