//! Runs the library's task of one session, and lets its watchers be read only while it lives.
//!
//! A watcher of the library panics when it is read after its session's end. Both are polled under one lock here, and the end is noted under
//! it: no watcher is ever read too late.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use reception_kit::{CancellationToken, Supervisor};
use spawns_core::{Spawn, Task};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The life of one session.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Life>);

#[derive(Debug, Default)]
struct Life {
    ended: Mutex<bool>,
    over: CancellationToken,
    cut: CancellationToken,
    /// The session goes on elsewhere.
    moved: AtomicBool,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the session's task where it stands; the server keeps the session until it expires.
    pub(crate) fn cut(&self) {
        self.0.cut.cancel();
    }

    /// As [`cut`](Self::cut), because another task goes on with the session.
    pub(crate) fn hand_over(&self) {
        self.0.moved.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Whether another task goes on, or is to go on, with the session.
    pub(crate) fn has_moved(&self) -> bool {
        self.0.moved.load(Ordering::SeqCst)
    }

    /// Waits until the session's task has ended.
    pub(crate) async fn over(&self) {
        self.0.over.cancelled().await;
    }

    /// Waits for what a watcher brings; `None` when the session has ended. The work is not polled again after either.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = T> + Send) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| self.poll(work.as_mut(), cx)).await
    }

    pub(crate) fn poll<F: Future + ?Sized>(
        &self,
        work: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        let ended = self.lock();
        if *ended {
            return Poll::Ready(None);
        }
        work.poll(cx).map(Some)
    }

    async fn run(self, work: Work) {
        let running = Running { gate: self.clone(), work: Some(work) };
        tokio::select! {
            biased;
            () = self.0.cut.cancelled() => {}
            () = running => {}
        }
        self.0.over.cancel();
    }
}

/// The library's task. Its end, also by being dropped, is noted before anything of it is gone.
struct Running {
    gate: Gate,
    work: Option<Work>,
}

impl Running {
    fn end(work: &mut Option<Work>, ended: &mut bool) {
        *ended = true;
        *work = None;
    }
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let gate = self.gate.clone();
        let mut ended = gate.lock();
        let Some(work) = &mut self.work else { return Poll::Ready(()) };
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            Self::end(&mut self.work, &mut ended);
        }
        polled
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let gate = self.gate.clone();
        let mut ended = gate.lock();
        Self::end(&mut self.work, &mut ended);
    }
}

/// Takes the tasks that the library spawns, so that they are named, joined and ended like ours.
struct Taker {
    supervisor: Supervisor,
    gate: Gate,
}

impl Spawn for Taker {
    fn spawn(&self, task: Task) {
        self.supervisor.spawn("session", self.gate.clone().run(Box::into_pin(task.future)));
    }
}

/// Runs `work`; what the library spawns in it runs under `supervisor` and lives behind `gate`.
pub(crate) async fn supervised<T>(
    supervisor: &Supervisor,
    gate: &Gate,
    work: impl Future<Output = T> + Send,
) -> T {
    let taker = Taker { supervisor: supervisor.clone(), gate: gate.clone() };
    let mut work = pin!(work);
    poll_fn(|cx| {
        let _scope = spawns_core::enter(&taker);
        work.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_watcher_is_not_read_after_the_end_of_its_session() {
        let supervisor = Supervisor::new("zookeeper").unwrap();
        let gate = Gate::new();
        let (sender, receiver) = oneshot::channel::<()>();
        supervised(&supervisor, &gate, async {
            drop(spawns_core::spawn(async move {
                std::future::pending::<()>().await;
                drop(sender);
            }));
        })
        .await;
        // As the library does it: an end without a word is a panic.
        let watcher = gate.guard(async move { receiver.await.unwrap() });
        let cut = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            gate.cut();
            gate.over().await;
        };
        let (seen, ()) = tokio::join!(watcher, cut);
        assert_eq!(seen, None);
        assert_eq!(gate.guard(std::future::ready(7)).await, None);
        supervisor.close().await;
    }

    #[tokio::test]
    async fn a_panic_of_the_library_ends_its_session_alone() {
        let supervisor = Supervisor::new("zookeeper").unwrap();
        let gate = Gate::new();
        supervised(&supervisor, &gate, async {
            drop(spawns_core::spawn(async { panic!("a defect of the library") }));
        })
        .await;
        gate.over().await;
        assert_eq!(gate.guard(std::future::ready(7)).await, None);
        supervisor.close().await;
    }
}
