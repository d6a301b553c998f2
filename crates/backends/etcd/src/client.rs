//! The client: wires the parts together.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use etcd_client::ConnectOptions;
use reception_core::{
    Capabilities, Client, Clock, DialUrl, ElectOptions, ElectionName, Elector, Endpoint as Told, ErrorKind,
    ListOptions, Probe, RegisterOptions, Registration, Result, Service, ServiceName, Snapshot, WatchOptions,
    Watcher, async_trait,
};
use reception_kit::{Backoff, Hub, Keeping, Lifeline, SnapshotWatcher, Supervisor, register};

use crate::{
    elect::{Election, Observers},
    error::{NAME, error},
    options::Options,
    register::Place,
    session::{Endpoint, Recipe, Session, User},
    watch::{Instances, Known, list, names},
};

/// All watchers lose a server at one moment: the first tries to open their streams again are spread over this span.
const SPREAD: Duration = Duration::from_secs(1);
/// The longest wait before a stream is opened again.
const RETRY: Duration = Duration::from_secs(5);
/// HTTP/2 pings find a connection that is dead but open. The server refuses them closer than 5 s apart, and all of them while no
/// stream is open: then a call that is not answered in time leaves the connection.
const PING: Duration = Duration::from_secs(6);
const PONG: Duration = Duration::from_secs(3);
/// What the server adds to a lease: it looks every half second, then commits; the rest is for a slow machine.
const EXPIRY_SLACK: Duration = Duration::from_secs(2);
/// The least that a server with the usual election timeout grants.
const LEAST_GRANT: Duration = Duration::from_secs(2);

struct EtcdClient {
    session: Arc<Session>,
    instances: Hub<ServiceName, Instances>,
    observers: Observers,
    known: Known,
    /// What is expected to be granted.
    lease: Duration,
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
    let layout = options.checked()?;
    let supervisor = Supervisor::new(NAME)?;
    let ttl = options.whole_ttl();
    let user = options.login.read(NAME)?.map(|(name, password)| User { name, password });
    let name = user.as_ref().map(|user| user.name.clone());
    let endpoints = connect(&options, user).await?;
    let clock = Clock::BOOT;
    let session = Session::new(layout, supervisor.clone(), clock.clone(), (options.timeout, ttl), endpoints);
    Ok(Arc::new(EtcdClient {
        instances: Hub::new(supervisor.clone(), clock.clone(), Backoff::with_bounds(SPREAD, RETRY)),
        observers: Hub::new(supervisor.clone(), clock, Backoff::with_bounds(SPREAD, RETRY)),
        known: Known::default(),
        lease: ttl.max(LEAST_GRANT),
        user: name,
        lifeline: supervisor.lifeline(),
        session,
    }))
}

pub(crate) async fn dial_url(url: DialUrl) -> Result<Arc<dyn Client>> {
    dial(Options::from_url(&url)?).await
}

/// One channel per endpoint. Nothing is sent yet: a channel connects when it is used.
async fn connect(options: &Options, user: Option<User>) -> Result<Vec<Endpoint>> {
    if let Some(client) = &options.client {
        return Ok(vec![Endpoint::given(client.clone())]);
    }
    let how = ConnectOptions::new()
        .with_keep_alive(PING, PONG)
        .with_keep_alive_while_idle(false)
        .with_connect_timeout(options.timeout)
        .with_require_leader(true);
    let how = secure(options, how)?;
    let scheme = if options.tls.is_on() { "https" } else { "http" };
    let mut endpoints = Vec::new();
    for (at, address) in options.addresses().into_iter().enumerate() {
        let recipe = Recipe { url: format!("{scheme}://{address}"), options: how.clone() };
        // The library's error may print what it was given, and that holds a key.
        let wrong =
            |_| error(ErrorKind::Config, "dial", format!("host {} or the TLS files cannot be used", at + 1));
        endpoints.push(Endpoint::dial(address, recipe, user.clone()).await.map_err(wrong)?);
    }
    Ok(endpoints)
}

#[cfg(feature = "tls")]
fn secure(options: &Options, how: ConnectOptions) -> Result<ConnectOptions> {
    use etcd_client::{Certificate, Identity, TlsOptions};

    if !options.tls.is_on() {
        return Ok(how);
    }
    let pems = options.tls.read(NAME)?;
    let mut tls = TlsOptions::new();
    if let Some(ca) = &pems.ca {
        tls = tls.ca_certificate(Certificate::from_pem(ca));
    }
    if let Some((cert, key)) = &pems.identity {
        tls = tls.identity(Identity::from_pem(cert, key.expose()));
    }
    Ok(how.with_tls(tls))
}

#[cfg(not(feature = "tls"))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as with the feature")]
fn secure(_options: &Options, how: ConnectOptions) -> Result<ConnectOptions> {
    Ok(how)
}

impl EtcdClient {
    /// A server may grant more than was expected, which shows in the first grant.
    fn crash_bound(&self) -> Duration {
        self.lease.max(self.session.last_grant().unwrap_or_default()) + EXPIRY_SLACK
    }

    async fn ask(&self, endpoint: &Endpoint) -> (Told, Option<String>) {
        let begun = self.session.clock.now();
        let work = |channel: &etcd_client::Client| {
            let mut maintenance = channel.maintenance_client();
            async move { maintenance.status().await }
        };
        let closing = self.session.supervisor.closing();
        let answer = tokio::select! {
            biased;
            answer = endpoint.attempt("probe", self.session.timeout, &work) => answer,
            () = closing.cancelled() => Err(self.session.supervisor.closed("probe")),
        };
        let took = self.session.clock.now().saturating_since(begun);
        let version = answer.as_ref().ok().map(|status| status.version().to_owned());
        (Told::new(endpoint.address(), answer.map(|_| took)), version)
    }
}

#[async_trait]
impl Client for EtcdClient {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(self.crash_bound()).candidates(true).early_revocation(true)
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        self.session.supervisor.check("register")?;
        // Before anything is taken: a record that cannot be written is told at once.
        reception_kit::record::encode(&service)?;
        let place = Place::take(&self.session, &service)?;
        let keeping = Keeping {
            clock: self.session.clock.clone(),
            backoff: Backoff::new(),
            timeout: self.session.timeout,
            crash_bound: self.crash_bound(),
            // The lease and the watch on the own key tell every loss, and the keeper of the lease looks now and then what is on it;
            // comparing every record would cost one request each.
            reconcile: Duration::ZERO,
        };
        register(&self.session.supervisor, self.lifeline.clone(), service, options, place, keeping).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        self.session.supervisor.check("list")?;
        list(&self.session, name, options.any_status, &self.known).await
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
        self.session.supervisor.check("names")?;
        names(&self.session).await
    }

    async fn probe(&self) -> Result<Probe> {
        self.session.supervisor.check("probe")?;
        let asked = self.session.endpoints().iter().map(|endpoint| self.ask(endpoint));
        let told = futures_util::future::join_all(asked).await;
        if let Some(refused) = told.iter().find_map(|(endpoint, _)| endpoint.outcome.as_ref().err())
            && told.iter().all(|(endpoint, _)| endpoint.outcome.is_err())
        {
            return Err(refused.clone());
        }
        let version = told.iter().find_map(|(_, version)| version.clone());
        let mut probe = Probe::new(told.into_iter().map(|(endpoint, _)| endpoint).collect()).server("etcd");
        probe.version = version;
        probe.lease = self.session.last_grant();
        probe.identity.clone_from(&self.user);
        Ok(probe)
    }

    async fn close(&self) -> Result<()> {
        self.session.close().await
    }
}

impl fmt::Debug for EtcdClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdClient").field("session", &self.session).finish_non_exhaustive()
    }
}
