//! The in-process store as a value: shared by its clients, by name where it has one.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use reception_core::{Clock, Moment, Result, Service, ServiceId, ServiceName};
use reception_kit::Supervisor;
use tokio::sync::{Notify, watch};

use crate::{
    client::MemoryClient,
    faults::{Condition, Faults, Reach},
    layout::Namespace,
    options::Options,
    store::Store,
};

/// Stores that have a name. Weak, so that a store ends with its last user.
static NAMED: LazyLock<Mutex<BTreeMap<String, Weak<Inner>>>> = LazyLock::new(Mutex::default);

/// A store inside this process, as a server would be: clients dial it, faults break it.
///
/// A clone is another handle of the same store. Dialling `memory://name` and [`Cluster::named`] meet in one store.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> reception_core::Result<()> {
/// use reception_core::{ClientExt, Service};
/// use reception_memory::{Cluster, Options};
///
/// let cluster = Cluster::on_tokio_time(); // a test's paused time moves its leases
/// let (one, other) = (cluster.client(Options::default())?, cluster.client(Options::default())?);
/// let registration = one.register(Service::new("api", "10.0.0.7", 8080)?).await?;
/// assert_eq!(other.list(&"api".parse()?).await?.len(), 1);
///
/// cluster.faults().of(&one).crash().await; // as a kill of its process: nothing is withdrawn
/// assert_eq!(other.list(&"api".parse()?).await?.len(), 1);
/// tokio::time::sleep(Options::default().ttl).await;
/// assert_eq!(other.list(&"api".parse()?).await?.len(), 0);
/// # drop(registration);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    name: String,
    clock: Clock,
    store: Mutex<Store>,
    clients: Mutex<BTreeMap<u64, Member>>,
    /// A lease may end earlier than the timers know.
    sooner: Notify,
    ids: AtomicU64,
}

/// A client as the store's faults know it.
#[derive(Debug)]
struct Member {
    namespace: Namespace,
    condition: watch::Sender<Condition>,
    supervisor: Supervisor,
}

impl Cluster {
    /// An empty store on the boot clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Clock::BOOT)
    }

    /// An empty store whose leases, and the deadlines of its clients, go by this clock.
    #[must_use]
    pub fn with_clock(clock: Clock) -> Self {
        Self::build(String::new(), clock)
    }

    /// An empty store on tokio's clock: where a test pauses time, its leases pause too.
    #[must_use]
    pub fn on_tokio_time() -> Self {
        let start = tokio::time::Instant::now();
        Self::with_clock(Clock::from_fn(move || Moment::from_duration(start.elapsed())))
    }

    /// The store that clients of `memory://name` share; it ends with its last handle or client.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = named.get(name).and_then(Weak::upgrade) {
            return Self(found);
        }
        named.retain(|_, store| store.strong_count() > 0);
        let made = Self::build(name.to_owned(), Clock::BOOT);
        named.insert(name.to_owned(), Arc::downgrade(&made.0));
        made
    }

    fn build(name: String, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            name,
            clock,
            store: Mutex::default(),
            clients: Mutex::default(),
            sooner: Notify::new(),
            ids: AtomicU64::new(1),
        }))
    }

    /// Dials this store. The options' `name` has no say: the store is this one.
    ///
    /// # Errors
    /// Config when an option is out of range; NoRuntime outside a tokio runtime.
    pub fn client(&self, options: Options) -> Result<MemoryClient> {
        MemoryClient::start(self.clone(), options)
    }

    /// What breaks this store and its clients: for tests. It reaches every client until narrowed.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults::new(self.clone(), Reach::All)
    }

    /// Writes the bytes of one instance as another program would: past every client and fault, under no lease.
    ///
    /// # Errors
    /// Config when the namespace, InvalidName when the name or the id cannot stand in a store.
    pub fn write_raw(&self, namespace: &str, name: &str, id: &str, bytes: &[u8]) -> Result<()> {
        let place = foreign_place(namespace, name, id)?;
        self.access(|store, _| store.put(&place, bytes.to_vec(), None));
        Ok(())
    }

    /// Writes one instance as another program would, in the form that clients read.
    ///
    /// # Errors
    /// Config when the namespace cannot stand in a store; TooLarge.
    pub fn write(&self, namespace: &str, service: &Service) -> Result<()> {
        let bytes = reception_kit::record::encode(service)?;
        self.write_raw(namespace, service.name().as_str(), service.id().as_str(), &bytes)
    }

    /// Removes one instance, whoever wrote it.
    ///
    /// # Errors
    /// Config when the namespace, InvalidName when the name or the id cannot stand in a store.
    pub fn remove(&self, namespace: &str, name: &str, id: &str) -> Result<()> {
        let place = foreign_place(namespace, name, id)?;
        self.access(|store, _| store.remove(&place));
        Ok(())
    }

    /// What the clients of a namespace have left: the places of records, and leases by their client. The domain record does not count.
    ///
    /// # Errors
    /// Config when the namespace cannot stand in a store.
    pub fn residue(&self, namespace: &str) -> Result<Vec<String>> {
        let space = Namespace::parse(namespace)?;
        let domain = space.domain();
        Ok(self.access(|store, _| {
            let records = store.keys().filter(|key| space.holds(key) && **key != domain).map(str::to_owned);
            records.chain(store.leases_in(&space)).collect()
        }))
    }

    /// How many requests clients have made so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.access(|store, _| store.requests())
    }

    /// How many bytes of records have gone to and from clients so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.access(|store, _| store.bytes())
    }

    /// How many watches of whole services are open now.
    #[must_use]
    pub fn watches(&self) -> u64 {
        self.access(|store, _| store.service_watches())
    }
}

impl Cluster {
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What to call this store in errors and probes.
    pub(crate) fn endpoint(&self) -> String {
        if self.0.name.is_empty() { "memory:".to_owned() } else { format!("memory://{}", self.0.name) }
    }

    /// A number that no one else of this store has: for clients, leases and watches.
    pub(crate) fn next_id(&self) -> u64 {
        self.0.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks at the store as it is now: whatever has run out is gone before `work` sees it.
    pub(crate) fn access<T>(&self, work: impl FnOnce(&mut Store, Moment) -> T) -> T {
        let mut store = self.0.store.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.clock.now();
        store.sweep(now);
        let before = store.next_expiry();
        let answer = work(&mut store, now);
        let after = store.next_expiry();
        drop(store);
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.0.sooner.notify_waiters();
        }
        answer
    }

    /// Ends leases at their time, so that watchers hear of it though nobody asks.
    pub(crate) async fn keep_time(&self) {
        loop {
            let sooner = self.0.sooner.notified();
            let next = self.access(|store, _| store.next_expiry()).unwrap_or(Moment::NEVER);
            tokio::select! {
                () = sooner => {}
                () = reception_kit::sleep_until(&self.0.clock, next) => {}
            }
        }
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<u64, Member>> {
        self.0.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(
        &self,
        client: u64,
        namespace: Namespace,
        supervisor: Supervisor,
    ) -> watch::Receiver<Condition> {
        let (condition, heard) = watch::channel(Condition::default());
        self.members().insert(client, Member { namespace, condition, supervisor });
        heard
    }

    pub(crate) fn leave(&self, client: u64) {
        let gone = self.members().remove(&client);
        drop(gone);
    }

    /// The clients that a fault hits.
    pub(crate) fn reached(&self, reach: &Reach) -> Vec<u64> {
        let hit = |(client, member): &(&u64, &Member)| match reach {
            Reach::All => true,
            Reach::Client(one) => *client == one,
            Reach::Namespace(namespace) => member.namespace == *namespace,
        };
        self.members().iter().filter(hit).map(|(&client, _)| client).collect()
    }

    /// Changes the condition of a client and names who owns its tasks.
    pub(crate) fn set_condition(
        &self,
        client: u64,
        change: impl FnOnce(&mut Condition),
    ) -> Option<Supervisor> {
        let members = self.members();
        let member = members.get(&client)?;
        member.condition.send_modify(change);
        Some(member.supervisor.clone())
    }
}

fn foreign_place(namespace: &str, name: &str, id: &str) -> Result<String> {
    Ok(Namespace::parse(namespace)?.instance(&ServiceName::foreign(name)?, &ServiceId::foreign(id)?))
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("endpoint", &self.endpoint())
            .field("clients", &self.members().len())
            .finish_non_exhaustive()
    }
}
