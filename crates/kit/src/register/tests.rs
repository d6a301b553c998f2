use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reception_core::{Clock, ErrorKind, RegistrationState};
use tokio::sync::mpsc;

use super::*;
use crate::{
    backoff::Backoff,
    testing::{DropAt, clock, drop_at, error, eventually, seconds, service},
};

/// A store with room for one record.
#[derive(Default)]
struct Store {
    shown: AtomicBool,
    live: AtomicUsize,
    writes: AtomicUsize,
    broken: AtomicBool,
    slow: AtomicBool,
}

struct TestSlot {
    store: Arc<Store>,
    news: mpsc::Receiver<News>,
}

impl Slot for TestSlot {
    async fn write(&mut self, _service: &Service, _attempt: Attempt) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if self.store.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(seconds(1)).await;
        }
        if self.store.broken.load(Ordering::SeqCst) {
            return Err(error(ErrorKind::Unavailable));
        }
        self.store.writes.fetch_add(1, Ordering::SeqCst);
        self.store.shown.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if self.store.broken.load(Ordering::SeqCst) {
            return Err(error(ErrorKind::Unavailable));
        }
        self.store.shown.store(false, Ordering::SeqCst);
        Ok(())
    }

    async fn news(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

impl Drop for TestSlot {
    fn drop(&mut self) {
        self.store.live.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Bench {
    supervisor: Supervisor,
    lifeline: Lifeline,
    store: Arc<Store>,
    keeping: Keeping,
}

impl Bench {
    fn new() -> Self {
        let supervisor = Supervisor::new("test").unwrap();
        let keeping = Keeping {
            clock: clock(),
            backoff: Backoff::seeded(1),
            timeout: seconds(3),
            crash_bound: seconds(10),
            reconcile: Duration::ZERO,
        };
        Self { lifeline: supervisor.lifeline(), supervisor, store: Arc::default(), keeping }
    }

    async fn register(&self) -> Result<Registration> {
        self.register_with_news().await.0
    }

    async fn register_with_news(&self) -> (Result<Registration>, mpsc::Sender<News>) {
        self.store.live.fetch_add(1, Ordering::SeqCst);
        let (tell, news) = mpsc::channel(4);
        let slot = TestSlot { store: Arc::clone(&self.store), news };
        let options = RegisterOptions::default();
        let (lifeline, keeping) = (self.lifeline.clone(), self.keeping.clone());
        (register(&self.supervisor, lifeline, service("one"), options, slot, keeping).await, tell)
    }

    fn shown(&self) -> bool {
        self.store.shown.load(Ordering::SeqCst)
    }

    async fn at_rest(&self) {
        eventually("the task ends", || self.store.live.load(Ordering::SeqCst) == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn register_dropped_at_any_poll_withdraws() {
    for polls in 0..20 {
        for at in [DropAt::After(polls), DropAt::Woken(polls)] {
            let bench = Bench::new();
            let kept = drop_at(bench.register(), at).await;
            if let Some(registration) = kept {
                assert!(polls > 1, "{at:?}");
                assert!(bench.shown());
                registration.unwrap().close().await.unwrap();
            } else if polls == 0 {
                // Nothing was started.
                bench.store.live.store(0, Ordering::SeqCst);
            }
            bench.at_rest().await;
            assert!(!bench.shown(), "{at:?}");
            bench.supervisor.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_registration_withdraws_it() {
    let bench = Bench::new();
    let registration = bench.register().await.unwrap();
    assert!(bench.shown());
    drop(registration);
    bench.at_rest().await;
    assert!(!bench.shown());
}

#[tokio::test(start_paused = true)]
async fn a_registration_dropped_during_a_write_is_not_resurrected() {
    let bench = Bench::new();
    let (registration, tell) = bench.register_with_news().await;
    let registration = registration.unwrap();
    tokio::time::sleep(seconds(2)).await;
    bench.store.slow.store(true, Ordering::SeqCst);
    tell.send(News::Lost(error(ErrorKind::LeaseLost))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    drop(registration);
    bench.at_rest().await;
    assert!(!bench.shown());
    assert_eq!(bench.store.writes.load(Ordering::SeqCst), 2, "the write under way was waited for");
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_repaired_and_told() {
    let bench = Bench::new();
    let (registration, tell) = bench.register_with_news().await;
    let registration = registration.unwrap();
    tokio::time::sleep(seconds(2)).await;
    bench.store.shown.store(false, Ordering::SeqCst);
    bench.store.broken.store(true, Ordering::SeqCst);
    tell.send(News::Lost(error(ErrorKind::LeaseLost))).await.unwrap();
    eventually("doubt", || matches!(registration.state(), RegistrationState::Doubtful(_))).await;
    tokio::time::sleep(seconds(60)).await;
    bench.store.broken.store(false, Ordering::SeqCst);
    eventually("repair", || matches!(registration.state(), RegistrationState::Active)).await;
    assert!(bench.shown());
}

#[tokio::test(start_paused = true)]
async fn close_answers_in_time_while_the_store_is_away_and_withdrawal_goes_on() {
    let bench = Bench::new();
    let registration = bench.register().await.unwrap();
    bench.store.broken.store(true, Ordering::SeqCst);
    let start = bench.keeping.clock.now();
    let failure = registration.close().await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable);
    assert!(bench.keeping.clock.now().saturating_since(start) <= seconds(3) + Duration::from_millis(10));
    assert!(bench.shown());
    bench.store.broken.store(false, Ordering::SeqCst);
    bench.at_rest().await;
    assert!(!bench.shown());
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_store_is_told_in_time() {
    let bench = Bench::new();
    bench.store.broken.store(true, Ordering::SeqCst);
    let start = bench.keeping.clock.now();
    assert_eq!(bench.register().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(bench.keeping.clock.now().saturating_since(start) <= seconds(3));
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_withdraws_and_ends_the_guard() {
    let bench = Bench::new();
    let registration = bench.register().await.unwrap();
    bench.supervisor.close().await;
    assert!(!bench.shown());
    let RegistrationState::Ended(cause) = registration.state() else { panic!("not ended") };
    assert_eq!(cause.kind(), ErrorKind::Closed);
    assert_eq!(registration.update(service("one")).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(bench.register().await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_closing_client_gives_up_on_a_store_that_is_away() {
    let bench = Bench::new();
    let _registration = bench.register().await.unwrap();
    bench.store.broken.store(true, Ordering::SeqCst);
    let start = bench.keeping.clock.now();
    bench.supervisor.close().await;
    assert!(bench.keeping.clock.now().saturating_since(start) <= seconds(3) + Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_lifeline_closes() {
    let Bench { supervisor, lifeline, store, keeping } = Bench::new();
    let bench = Bench { lifeline: supervisor.lifeline(), supervisor, store, keeping };
    drop(lifeline);
    let registration = bench.register().await.unwrap();
    let Bench { supervisor, lifeline, store, .. } = bench;
    drop(lifeline);
    tokio::time::sleep(seconds(1)).await;
    assert!(!supervisor.is_closed(), "the guard keeps the client open");
    drop(registration);
    eventually("the client closes", || supervisor.is_closed()).await;
    supervisor.close().await;
    assert!(!store.shown.load(Ordering::SeqCst));
}

#[test]
fn a_runtime_that_ends_ends_the_registration() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (registration, bench) = runtime.block_on(async {
        let bench = Bench { keeping: Keeping { clock: Clock::BOOT, ..Bench::new().keeping }, ..Bench::new() };
        (bench.register().await.unwrap(), bench)
    });
    drop(runtime);
    assert!(
        matches!(registration.state(), RegistrationState::Ended(cause) if cause.kind() == ErrorKind::Closed)
    );
    let other = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(other.block_on(bench.register()).unwrap_err().kind(), ErrorKind::NoRuntime);
    assert_eq!(bench.supervisor.check("list").unwrap_err().kind(), ErrorKind::NoRuntime);
    other.block_on(bench.supervisor.close());
}
