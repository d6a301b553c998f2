//! A client with one flaw: everything else goes to the real one behind it.

use std::{
    collections::BTreeSet,
    fs::File,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use reception_core::{
    Capabilities, Client, Clock, ElectOptions, ElectionName, Elector, Error, ErrorKind, ListOptions,
    OnConflict, Probe, RegisterOptions, Registration, Result, Service, ServiceName, Snapshot, WatchOptions,
    Watcher, async_trait,
};
use reception_memory::{Cluster, MemoryClient, Options};

use crate::{
    elector::DoubleElector,
    flaw::Flaw,
    guard::{self, spawn},
    watcher::DoubleWatcher,
};

/// Descriptors that were never given back.
static LEAKED: Mutex<Vec<File>> = Mutex::new(Vec::new());

#[derive(Debug)]
pub(crate) struct Double {
    flaw: Flaw,
    inner: Arc<MemoryClient>,
    cluster: Cluster,
    options: Options,
    clock: Clock,
    closed: AtomicBool,
    last: Mutex<Option<Snapshot>>,
}

impl Double {
    pub(crate) fn dial(flaw: Flaw, cluster: Cluster, options: Options, clock: Clock) -> Result<Self> {
        match flaw {
            Flaw::LeaksATask => spawn(std::future::pending()),
            Flaw::LeaksAThread => {
                thread::spawn(|| thread::sleep(Duration::from_secs(3600)));
            }
            Flaw::LeaksADescriptor => {
                LEAKED.lock().unwrap_or_else(PoisonError::into_inner).extend(File::open("/dev/null"));
            }
            _ => {}
        }
        let inner = Arc::new(cluster.client(options.clone())?);
        let (closed, last) = (AtomicBool::new(false), Mutex::new(None));
        Ok(Self { flaw, inner, cluster, options, clock, closed, last })
    }

    fn remember(&self, view: &Snapshot) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(view.clone());
    }

    fn remembered(&self) -> Option<Snapshot> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Client for Double {
    fn backend(&self) -> &'static str {
        self.inner.backend()
    }

    fn capabilities(&self) -> Capabilities {
        let told = self.inner.capabilities();
        let understated = Capabilities::new(Duration::from_millis(500)).candidates(told.candidates);
        if self.flaw == Flaw::UnderstatesItsCrashBound { understated } else { told }
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        match self.flaw {
            Flaw::AsksBeforeItChecks => {
                self.inner.list_with(service.name(), ListOptions::default()).await?;
                self.inner.register_with(service, options).await
            }
            Flaw::ChecksNothing => match self.inner.register_with(service.clone(), options).await {
                Err(error) if invalid(&error) => Ok(guard::made_up(service)),
                answer => answer,
            },
            Flaw::HidesConflicts => match self.inner.register_with(service.clone(), options).await {
                Err(error) if error.kind() == ErrorKind::Conflict => Ok(guard::made_up(service)),
                answer => answer,
            },
            Flaw::AlwaysReplaces => {
                self.inner.register_with(service, options.on_conflict(OnConflict::Replace)).await
            }
            Flaw::LeavesARecord => {
                let written = Service::builder("note", "10.0.0.1", 1).id(service.id().as_str()).build()?;
                self.cluster.write(&self.options.namespace, &written)?;
                self.inner.register_with(service, options).await
            }
            Flaw::SwallowsUpdates
            | Flaw::ForgetsToWithdraw
            | Flaw::ComesBackAfterClose
            | Flaw::IgnoresADroppedGuard
            | Flaw::GivesUpInDoubt
            | Flaw::FlapsInDoubt => {
                let registration = self.inner.register_with(service, options).await?;
                Ok(guard::broken_registration(self.flaw, Arc::clone(&self.inner), registration))
            }
            _ => self.inner.register_with(service, options).await,
        }
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        let options = if self.flaw == Flaw::ListsWhoIsNotUp { options.any_status(true) } else { options };
        let answer = self.inner.list_with(name, options).await;
        match (self.flaw, answer) {
            (Flaw::AnswersEmptyWhenCut, Err(error)) if error.kind() == ErrorKind::Unavailable => {
                Ok(Snapshot::new(name.clone(), 0, []))
            }
            (Flaw::AnswersAfterClose, Err(error)) if self.closed.load(Ordering::Relaxed) => {
                self.remembered().ok_or(error)
            }
            (Flaw::ChokesOnForeignRecords, Ok(view)) if view.unreadable() > 0 => {
                Err(Error::new(ErrorKind::Protocol, "double", "list", "a record cannot be read"))
            }
            (Flaw::CountsNoForeignRecords, Ok(view)) => Ok(view.with_unreadable(0)),
            (_, Ok(view)) => {
                self.remember(&view);
                Ok(view)
            }
            (_, answer) => answer,
        }
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        let options = if self.flaw == Flaw::WatchesWhoIsNotUp { options.any_status(true) } else { options };
        let upstream = if self.flaw == Flaw::OpensAWatchPerWatcher {
            Arc::new(self.cluster.client(self.options.clone())?)
        } else {
            Arc::clone(&self.inner)
        };
        let watcher = upstream.watch_with(name, options).await?;
        Ok(Box::new(DoubleWatcher::new(self.flaw, name.clone(), watcher, upstream)))
    }

    async fn elector_with(&self, name: &ElectionName, options: ElectOptions) -> Result<Box<dyn Elector>> {
        let elector: Arc<dyn Elector> = Arc::from(self.inner.elector_with(name, options).await?);
        Ok(Box::new(DoubleElector::new(self.flaw, elector, self.clock.clone())))
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        self.inner.names().await
    }

    async fn probe(&self) -> Result<Probe> {
        self.inner.probe().await
    }

    async fn close(&self) -> Result<()> {
        if self.flaw == Flaw::AnswersAfterClose && !self.closed.load(Ordering::Relaxed) {
            let name = ServiceName::new("api")?;
            self.remember(&self.inner.list_with(&name, ListOptions::default()).await?);
        }
        if self.flaw == Flaw::SweepsForeignRecords {
            self.cluster.remove(&self.options.namespace, "api", "theirs")?;
        }
        self.closed.store(true, Ordering::Relaxed);
        self.inner.close().await
    }
}

fn invalid(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidName | ErrorKind::InvalidInstance | ErrorKind::TooLarge)
}
