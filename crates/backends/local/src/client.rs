//! The client: wires the folder, the watches and the elections of one dial together.

use std::{collections::BTreeSet, fmt, io, path::Path, sync::Arc, time::Duration};

use reception_core::{
    Capabilities, Client, Clock, ElectOptions, ElectionName, Elector, Endpoint, ListOptions, Probe,
    RegisterOptions, Registration, Result, Service, ServiceName, Snapshot, Status, WatchOptions, Watcher,
    async_trait,
};
use reception_kit::{Backoff, Hub, Keeping, Lifeline, SnapshotWatcher, Supervisor, record, register};

use crate::{
    elect::{Leaders, LocalElector},
    error::{NAME, config},
    folder::Root,
    layout::{Namespace, id},
    options::Options,
    records::is_foreign,
    register::Place,
    session::Session,
    spent::Spent,
    watch::{Instances, Table},
};

/// How often a record is compared with its file unasked; that it is gone is noticed at once.
const RECONCILE: Duration = Duration::from_secs(30);

/// Opens the folder that the options name, or the user's own one, and makes it when it is missing.
///
/// # Errors
/// Config when an option is out of range, or the folder cannot be made, can be written by others, or lies on a file system that is
/// refused; NoRuntime outside a tokio runtime.
///
/// # Cancel safety
/// Dropped before it is ready, nothing is left but the folder.
pub async fn dial(options: Options) -> Result<LocalClient> {
    let parts = options.check()?;
    let supervisor = Supervisor::new(NAME)?;
    let lifeline = supervisor.lifeline();
    let timeout = options.timeout;
    let root = supervisor.blocking("dial", move || Root::open(&options)).await??;
    let space = Namespace::new(root.path(), &parts);
    let session = Arc::new(Session::new(supervisor.clone(), root, timeout));
    let shared = Shared {
        services: Hub::new(supervisor.clone(), Clock::BOOT, Backoff::new()),
        elections: Hub::new(supervisor, Clock::BOOT, Backoff::new()),
        session,
        space,
    };
    Ok(LocalClient { shared: Arc::new(shared), lifeline })
}

/// A client of a folder on this machine.
///
/// A clone is another handle of the same client.
#[derive(Clone)]
pub struct LocalClient {
    shared: Arc<Shared>,
    lifeline: Lifeline,
}

/// What the parts of one client share. It keeps no client alive: handles, guards and streams do that.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) session: Arc<Session>,
    pub(crate) space: Namespace,
    services: Hub<ServiceName, Instances>,
    pub(crate) elections: Hub<ElectionName, Leaders>,
}

impl Shared {
    pub(crate) fn supervisor(&self) -> &Supervisor {
        self.session.supervisor()
    }
}

impl LocalClient {
    /// The folder that this client shares with others.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.shared.session.root()
    }

    /// What this client has done to files so far, for measuring.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.shared.space.spent().clone()
    }

    /// Ends the client as a kill of its process would: its locks are gone at once, its files stay where they are, and it does nothing any
    /// more. For tests of what others make of that.
    ///
    /// # Errors
    /// None.
    ///
    /// # Cancel safety
    /// The locks are gone at the first poll.
    pub async fn vanish(&self) {
        self.shared.session.vanish();
        self.shared.supervisor().close().await;
        self.shared.session.notices.shut();
    }
}

#[async_trait]
impl Client for LocalClient {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Duration::ZERO).candidates(true).early_revocation(true)
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        let Shared { session, space, .. } = &*self.shared;
        session.supervisor().check("register")?;
        record::encode(&service)?;
        // What may be written is a name of a file too.
        let unfit = || config("the name of the service is no name of a file");
        let room = space.service(service.name()).ok_or_else(unfit)?;
        let taken = session.take(&room, service.id().as_str(), options.on_conflict);
        let hold = session.supervisor().serve("register", taken).await?;
        let slot = Place::new(Arc::clone(session), room, &service, hold);
        let keeping = Keeping {
            clock: Clock::BOOT,
            backoff: Backoff::with_bounds(Duration::from_millis(20), Duration::from_secs(2)),
            timeout: session.timeout(),
            crash_bound: Duration::ZERO,
            reconcile: RECONCILE,
        };
        register(session.supervisor(), self.lifeline.clone(), service, options, slot, keeping).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        let Shared { session, space, .. } = &*self.shared;
        let (room, looked_for) = (space.service(name), name.clone());
        let read = session.work("list", move |_| {
            let mut table = Table::default();
            if let Some(room) = room {
                room.check()?;
                table.look(&room, &looked_for, None)?;
            }
            Ok(table.snapshot(&looked_for, 0))
        });
        let all = session.supervisor().serve("list", read).await?;
        if options.any_status {
            return Ok(all);
        }
        let up = all.iter().filter(|service| service.status() == Status::Up).cloned();
        Ok(Snapshot::new(name.clone(), all.revision(), up).with_unreadable(all.unreadable()))
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        let Shared { session, space, services, .. } = &*self.shared;
        session.supervisor().check("watch")?;
        let source = || Instances::new(Arc::clone(session), name.clone(), space.service(name));
        let feed = services.subscribe(name.clone(), self.lifeline.clone(), source);
        Ok(Box::new(SnapshotWatcher::new(feed, options)))
    }

    async fn elector_with(&self, name: &ElectionName, _options: ElectOptions) -> Result<Box<dyn Elector>> {
        self.shared.supervisor().check("elector")?;
        ElectionName::new(name.as_str())?;
        Ok(Box::new(LocalElector::new(Arc::clone(&self.shared), self.lifeline.clone(), name.clone())))
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        let space = self.shared.space.clone();
        let read = self.shared.session.work("names", move |_| names(&space));
        self.shared.supervisor().serve("names", read).await
    }

    async fn probe(&self) -> Result<Probe> {
        let session = &self.shared.session;
        let sent = Clock::BOOT.now();
        session.supervisor().serve("probe", session.work("probe", |_| Ok(()))).await?;
        let took = Clock::BOOT.now().saturating_since(sent);
        let endpoint = Endpoint::new(self.folder().display().to_string(), Ok(took));
        let probe = Probe::new(vec![endpoint]).server("files and locks of this machine");
        Ok(probe.version(env!("CARGO_PKG_VERSION")).identity(format!("process {}", std::process::id())))
    }

    async fn close(&self) -> Result<()> {
        self.shared.supervisor().close().await;
        self.shared.session.notices.shut();
        Ok(())
    }
}

/// The services with an instance, of any status.
fn names(space: &Namespace) -> io::Result<BTreeSet<ServiceName>> {
    let folders = match std::fs::read_dir(space.services()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        folders => folders?,
    };
    let mut names = BTreeSet::new();
    for folder in folders {
        let file_name = folder?.file_name();
        let Some(name) = id(&file_name).and_then(|name| ServiceName::foreign(name).ok()) else { continue };
        let Some(room) = space.service(&name) else { continue };
        let mut table = Table::default();
        match room.check().and_then(|()| table.look(&room, &name, None)) {
            Ok(_) if table.has_any() => drop(names.insert(name)),
            // What is no folder of ours hides none that is.
            Err(error) if !is_foreign(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(names)
}

impl fmt::Debug for LocalClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalClient").field("folder", &self.folder()).finish_non_exhaustive()
    }
}
