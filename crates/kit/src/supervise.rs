//! The tasks of one client: spawned, named, cancelled and joined here and nowhere else.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use reception_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// Spawns the tasks of one client on the runtime where the client was made.
///
/// Clones share one set of tasks. A supervisor keeps nothing alive by itself: hold a [`Lifeline`]
/// for that.
#[derive(Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

struct Inner {
    backend: &'static str,
    home: Handle,
    tracker: TaskTracker,
    closing: CancellationToken,
    runtime_ended: Arc<AtomicBool>,
    lifelines: AtomicUsize,
}

impl Supervisor {
    /// Supervises tasks of a client of `backend` on the current runtime.
    ///
    /// # Errors
    ///
    /// NoRuntime outside a tokio runtime.
    pub fn new(backend: &'static str) -> Result<Self> {
        let home = Handle::try_current().map_err(|_| no_runtime(backend, "dial"))?;
        let supervisor = Self {
            inner: Arc::new(Inner {
                backend,
                home,
                tracker: TaskTracker::new(),
                closing: CancellationToken::new(),
                runtime_ended: Arc::default(),
                lifelines: AtomicUsize::new(0),
            }),
        };
        supervisor.watch_runtime();
        Ok(supervisor)
    }

    /// The backend's name, for errors and events.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        self.inner.backend
    }

    /// Runs `work` on the home runtime under a span with this name; after `close` drops it unrun.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        // The token is taken before the question is asked, so a `close` between the two still waits for this task.
        let counted = self.inner.tracker.token();
        if self.is_closed() {
            return;
        }
        let span = tracing::debug_span!(parent: None, "task", backend = self.inner.backend, operation = name);
        drop(self.inner.tracker.spawn_on(work.instrument(span), &self.inner.home));
        drop(counted);
    }

    /// Runs `work`, which may block, on the home runtime's threads for that. It starts with this call and runs to its end also when the answer
    /// is not waited for, and `close` waits for it; it is not refused while the client closes, since that is when claims are withdrawn.
    ///
    /// # Errors
    ///
    /// NoRuntime when the home runtime ended before the work began; Internal when the work panicked.
    ///
    /// # Cancel safety
    ///
    /// Dropping the answer does not stop the work.
    pub fn blocking<T, W>(
        &self,
        operation: &'static str,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let running = self.inner.tracker.spawn_blocking_on(work, &self.inner.home);
        let backend = self.inner.backend;
        async move {
            running.await.map_err(|ended| {
                if ended.is_panic() {
                    Error::new(ErrorKind::Internal, backend, operation, "blocking work panicked")
                } else {
                    no_runtime(backend, operation)
                }
            })
        }
    }

    /// Says whether a call may still start.
    ///
    /// # Errors
    ///
    /// Closed after `close`; NoRuntime outside a runtime or when the home runtime has ended.
    pub fn check(&self, operation: &'static str) -> Result<()> {
        if self.is_closed() {
            return Err(self.closed(operation));
        }
        if self.inner.runtime_ended.load(Ordering::Acquire) || Handle::try_current().is_err() {
            return Err(no_runtime(self.inner.backend, operation));
        }
        Ok(())
    }

    /// Runs a user's call: refuses it as [`check`](Self::check) does, and ends it with Closed when the client closes meanwhile (law
    /// L13).
    ///
    /// # Errors
    ///
    /// Closed, NoRuntime, or what the work answers.
    ///
    /// # Cancel safety
    ///
    /// As the work.
    pub async fn serve<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.check(operation)?;
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = self.inner.closing.cancelled() => Err(self.closed(operation)),
        }
    }

    /// The error of every call after `close`.
    #[must_use]
    pub fn closed(&self, operation: &'static str) -> Error {
        closed(self.inner.backend, operation)
    }

    /// A token that is cancelled when the client closes; every task selects on it.
    #[must_use]
    pub fn closing(&self) -> CancellationToken {
        self.inner.closing.clone()
    }

    /// Whether `close` was called or the last lifeline is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.closing.is_cancelled()
    }

    /// Cancels every task and waits until all have ended. Never call it from a supervised task.
    ///
    /// # Errors
    ///
    /// None.
    ///
    /// # Cancel safety
    ///
    /// Closing goes on when the future is dropped; call it again to wait.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tracker.close();
        self.inner.tracker.wait().await;
    }

    /// Keeps the client open; when the last of all its lifelines drops, the client closes.
    #[must_use]
    pub fn lifeline(&self) -> Lifeline {
        self.inner.lifelines.fetch_add(1, Ordering::Relaxed);
        Lifeline { inner: Arc::clone(&self.inner) }
    }

    /// A runtime that shuts down drops its tasks, and with this one the alarm in it.
    fn watch_runtime(&self) {
        let alarm = Alarm { raised: Arc::clone(&self.inner.runtime_ended), armed: true };
        let closing = self.closing();
        self.spawn("supervise", async move {
            let mut alarm = alarm;
            closing.cancelled().await;
            alarm.armed = false;
        });
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("backend", &self.inner.backend)
            .field("tasks", &self.inner.tracker.len())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// Keeps a client open: held by its handle, its electors and streams and by the tasks of its guards.
pub struct Lifeline {
    inner: Arc<Inner>,
}

impl Clone for Lifeline {
    fn clone(&self) -> Self {
        self.inner.lifelines.fetch_add(1, Ordering::Relaxed);
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        if self.inner.lifelines.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.inner.closing.cancel();
        }
    }
}

impl fmt::Debug for Lifeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifeline").field("backend", &self.inner.backend).finish_non_exhaustive()
    }
}

struct Alarm {
    raised: Arc<AtomicBool>,
    armed: bool,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.armed {
            self.raised.store(true, Ordering::Release);
        }
    }
}

pub(crate) fn closed(backend: &'static str, operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, backend, operation, "the client is closed")
}

fn no_runtime(backend: &'static str, operation: &'static str) -> Error {
    Error::new(ErrorKind::NoRuntime, backend, operation, "no tokio runtime is running this client")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::testing::seconds;

    #[tokio::test(start_paused = true)]
    async fn close_waits_for_every_task_and_may_be_called_again() {
        let supervisor = Supervisor::new("test").unwrap();
        let ended = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let (closing, ended) = (supervisor.closing(), Arc::clone(&ended));
            supervisor.spawn("task", async move {
                closing.cancelled().await;
                tokio::time::sleep(seconds(1)).await;
                ended.fetch_add(1, Ordering::SeqCst);
            });
        }
        let wait = || async {
            supervisor.close().await;
            assert_eq!(ended.load(Ordering::SeqCst), 3);
        };
        tokio::join!(wait(), wait());
        supervisor.close().await;
        assert_eq!(supervisor.check("list").unwrap_err().kind(), ErrorKind::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_close_goes_on() {
        let supervisor = Supervisor::new("test").unwrap();
        let closing = supervisor.closing();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        supervisor.spawn("task", async move {
            closing.cancelled().await;
            tokio::time::sleep(seconds(1)).await;
            end.store(true, Ordering::SeqCst);
        });
        assert!(tokio::time::timeout(seconds(0), supervisor.close()).await.is_err());
        tokio::time::sleep(seconds(2)).await;
        assert!(ended.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn work_that_comes_after_close_is_dropped_unrun() {
        let supervisor = Supervisor::new("test").unwrap();
        supervisor.close().await;
        let (dropped, ran) = (Arc::new(()), Arc::new(Mutex::new(false)));
        let (held, run) = (Arc::clone(&dropped), Arc::clone(&ran));
        supervisor.spawn("late", async move {
            *run.lock().unwrap() = true;
            drop(held);
        });
        assert_eq!(Arc::strong_count(&dropped), 1);
        supervisor.close().await;
        assert!(!*ran.lock().unwrap());
    }

    #[tokio::test]
    async fn close_waits_for_blocking_work_whose_answer_nobody_took() {
        let supervisor = Supervisor::new("test").unwrap();
        assert_eq!(supervisor.blocking("read", || 7).await.unwrap(), 7);
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        drop(supervisor.blocking("read", move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            end.store(true, Ordering::SeqCst);
        }));
        supervisor.close().await;
        assert!(ended.load(Ordering::SeqCst));
        assert_eq!(supervisor.blocking("withdraw", || 8).await.unwrap(), 8);
        let panicked = supervisor.blocking("read", || panic!("on purpose")).await;
        assert_eq!(panicked.map(|()| 0).unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn outside_a_runtime_there_is_no_client() {
        assert_eq!(Supervisor::new("test").unwrap_err().kind(), ErrorKind::NoRuntime);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let supervisor = runtime.block_on(async { Supervisor::new("test").unwrap() });
        assert_eq!(supervisor.check("list").unwrap_err().kind(), ErrorKind::NoRuntime);
        assert!(runtime.block_on(async { supervisor.check("list") }).is_ok());
    }

    #[tokio::test]
    async fn the_last_lifeline_closes_and_no_other() {
        let supervisor = Supervisor::new("test").unwrap();
        let first = supervisor.lifeline();
        let second = first.clone();
        drop(first);
        let third = supervisor.lifeline();
        drop(second);
        assert!(!supervisor.is_closed());
        drop(third);
        assert!(supervisor.is_closed());
        supervisor.close().await;
    }
}
