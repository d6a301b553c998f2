//! The client: one handle on a shelf, and the end of everything that it started.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reception_core::{
    Capabilities, Client, ElectOptions, ElectionName, Elector, Endpoint, ErrorKind, ListOptions, Probe,
    RegisterOptions, Registration, Result, Service, ServiceName, Snapshot, WatchOptions, Watcher,
    async_trait,
};
use tokio::runtime::Handle;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::{Shelf, closed, elect::ShelfElector, error, register, watch::ShelfWatcher};

/// A client of one shelf.
#[derive(Debug)]
pub(crate) struct ShelfClient(Arc<Inner>);

/// Shared by the handle, its guards, electors and streams: the client lives as long as one of them.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) shelf: Arc<Shelf>,
    pub(super) number: u64,
    pub(super) patience: Duration,
    pub(super) closing: CancellationToken,
    tasks: TaskTracker,
    home: Handle,
}

impl ShelfClient {
    /// A client on `shelf`, whose tasks run on the current tokio runtime.
    pub(crate) fn new(shelf: Arc<Shelf>, patience: Duration) -> Result<Self> {
        let home = Handle::try_current()
            .map_err(|e| error(ErrorKind::NoRuntime, "dial", "dial inside a tokio runtime").with_source(e))?;
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        // Ends with the runtime, and then closes the client: streams that are polled elsewhere must not hang.
        let (until, runtime_ended) = (closing.clone(), closing.clone().drop_guard());
        tasks.spawn_on(
            async move {
                let _closes_on_drop = runtime_ended;
                until.cancelled().await;
            },
            &home,
        );
        let number = shelf.number();
        Ok(Self(Arc::new(Inner { shelf, number, patience, closing, tasks, home })))
    }
}

impl Inner {
    /// Begins a call. While the token is held, `close` waits, so nothing is claimed behind its back.
    pub(super) fn enter(&self, operation: &'static str) -> Result<TaskTrackerToken> {
        let inside = self.tasks.token();
        if self.closing.is_cancelled() { Err(closed(operation)) } else { Ok(inside) }
    }

    /// Runs a task that `close` waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.home);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

#[async_trait]
impl Client for ShelfClient {
    fn backend(&self) -> &'static str {
        "shelf"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(self.0.patience).candidates(true)
    }

    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        register::register(&self.0, service, options).await
    }

    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        let _inside = self.0.enter("list")?;
        Ok(self.0.shelf.snapshot(name, options.any_status))
    }

    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        let _inside = self.0.enter("watch")?;
        Ok(Box::new(ShelfWatcher::new(&self.0, name, options.any_status)))
    }

    async fn elector_with(&self, name: &ElectionName, _options: ElectOptions) -> Result<Box<dyn Elector>> {
        let _inside = self.0.enter("elector")?;
        Ok(Box::new(ShelfElector::new(&self.0, name)))
    }

    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        let _inside = self.0.enter("names")?;
        Ok(self.0.shelf.names())
    }

    async fn probe(&self) -> Result<Probe> {
        let _inside = self.0.enter("probe")?;
        Ok(Probe::new(vec![Endpoint::new("shelf", Ok(Duration::ZERO))]).note("a shelf inside this process"))
    }

    async fn close(&self) -> Result<()> {
        self.0.closing.cancel();
        self.0.tasks.close();
        self.0.shelf.withdraw_client(self.0.number);
        self.0.tasks.wait().await;
        // An `elect` that was inside when the closing began may have stood since.
        self.0.shelf.withdraw_client(self.0.number);
        Ok(())
    }
}
