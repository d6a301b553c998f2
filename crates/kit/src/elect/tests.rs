use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use reception_core::{Clock, FencingToken, Tenure};
use tokio::sync::{Notify, mpsc};

use super::*;
use crate::{
    backoff::Backoff,
    contest::Contest,
    testing::{DropAt, clock, drop_at, error, eventually, seconds, service},
};

/// A store with room for one candidate.
#[derive(Default)]
struct Store {
    stands: AtomicBool,
    granted: AtomicBool,
    grant: Notify,
    live: AtomicUsize,
    tokens: AtomicU64,
    failures: AtomicUsize,
    releases: AtomicUsize,
    tenure: Mutex<Option<Tenure>>,
    released_while_held: AtomicBool,
    broken: AtomicBool,
}

impl Store {
    fn grant(&self) {
        self.granted.store(true, Ordering::SeqCst);
        self.grant.notify_waiters();
    }
}

struct TestClaim {
    store: Arc<Store>,
    clock: Clock,
    ttl: Duration,
    pulses: mpsc::Receiver<Pulse>,
}

impl Claim for TestClaim {
    async fn win(&mut self) -> Result<Won> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if self.store.failures.load(Ordering::SeqCst) > 0 {
            self.store.failures.fetch_sub(1, Ordering::SeqCst);
            return Err(error(ErrorKind::Unavailable));
        }
        let sent = self.clock.now();
        self.store.stands.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        let granted = self.store.grant.notified();
        if !self.store.granted.load(Ordering::SeqCst) {
            granted.await;
        }
        tokio::task::yield_now().await;
        let token = self.store.tokens.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Won::new(FencingToken::new([1; 16], token), sent, self.ttl))
    }

    async fn pulse(&mut self) -> Pulse {
        match self.pulses.recv().await {
            Some(pulse) => pulse,
            None => std::future::pending().await,
        }
    }

    async fn release(&mut self) -> Result<()> {
        self.store.releases.fetch_add(1, Ordering::SeqCst);
        let held = self.store.tenure.lock().unwrap().as_ref().is_some_and(Tenure::is_held);
        self.store.released_while_held.fetch_or(held, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        if self.store.broken.load(Ordering::SeqCst) {
            return Err(error(ErrorKind::Unavailable));
        }
        self.store.stands.store(false, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for TestClaim {
    fn drop(&mut self) {
        self.store.live.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Bench {
    supervisor: Supervisor,
    lifeline: Lifeline,
    store: Arc<Store>,
    clock: Clock,
    ttl: Duration,
}

impl Bench {
    fn new() -> Self {
        let supervisor = Supervisor::new("test").unwrap();
        Self {
            lifeline: supervisor.lifeline(),
            supervisor,
            store: Arc::default(),
            clock: clock(),
            ttl: seconds(10),
        }
    }

    fn standing(&self) -> Standing {
        Standing {
            election: "reaper".parse().unwrap(),
            clock: self.clock.clone(),
            margin: seconds(1),
            backoff: Backoff::seeded(1),
            timeout: seconds(3),
        }
    }

    async fn elect(&self, entry: impl Into<Entry> + Send) -> (Result<Leadership>, mpsc::Sender<Pulse>) {
        self.store.live.fetch_add(1, Ordering::SeqCst);
        let (beat, pulses) = mpsc::channel(4);
        let claim =
            TestClaim { store: Arc::clone(&self.store), clock: self.clock.clone(), ttl: self.ttl, pulses };
        let (lifeline, standing) = (self.lifeline.clone(), self.standing());
        let leadership = elect(&self.supervisor, lifeline, service("one"), claim, standing, entry).await;
        (leadership, beat)
    }

    async fn won(&self) -> (Leadership, mpsc::Sender<Pulse>) {
        self.store.grant();
        let (leadership, beat) = self.elect(CancellationToken::new()).await;
        (leadership.unwrap(), beat)
    }

    fn stands(&self) -> bool {
        self.store.stands.load(Ordering::SeqCst)
    }

    async fn at_rest(&self) {
        eventually("the task ends", || self.store.live.load(Ordering::SeqCst) == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn elect_dropped_at_any_poll_withdraws() {
    for polls in 0..12 {
        for at in [DropAt::After(polls), DropAt::Woken(polls)] {
            let bench = Bench::new();
            bench.store.grant();
            let kept = drop_at(bench.elect(CancellationToken::new()), at).await;
            if polls == 0 {
                bench.store.live.store(0, Ordering::SeqCst);
            }
            if let Some((leadership, _beat)) = kept {
                assert!(bench.stands());
                leadership.unwrap().resign().await.unwrap();
            }
            bench.at_rest().await;
            assert!(!bench.stands(), "{at:?}");
            bench.supervisor.close().await;
        }
    }
}

/// The win is in the channel, the caller is woken and is dropped before it looks.
#[tokio::test(start_paused = true)]
async fn elect_dropped_between_the_grant_and_its_poll_withdraws() {
    let bench = Bench::new();
    let store = Arc::clone(&bench.store);
    // From a task of its own, so that only the grant wakes the caller.
    bench.supervisor.spawn("grant", async move {
        eventually("the candidate stands", || store.stands.load(Ordering::SeqCst)).await;
        store.grant();
    });
    let kept = drop_at(bench.elect(CancellationToken::new()), DropAt::Woken(1)).await;
    assert!(kept.is_none());
    assert_eq!(bench.store.tokens.load(Ordering::SeqCst), 1, "the store had granted");
    bench.at_rest().await;
    assert!(!bench.stands());
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_at_its_deadline_and_not_before() {
    let bench = Bench::new();
    let start = bench.clock.now();
    let (leadership, beat) = bench.won().await;
    *bench.store.tenure.lock().unwrap() = Some(leadership.tenure());
    // sent 2 ms after the start, 10 s granted, 1 s margin.
    let sent = start.saturating_add(Duration::from_millis(2));
    assert_eq!(leadership.remaining(), Duration::from_secs(9) - bench.clock.now().saturating_since(sent));
    let renewed = bench.clock.now();
    beat.send(Pulse::Renewed { sent: renewed, ttl: seconds(20) }).await.unwrap();
    tokio::time::sleep(seconds(18)).await;
    assert!(leadership.is_held());
    let cause = leadership.lost().await;
    assert_eq!(cause.kind(), ErrorKind::LeaseLost);
    let lasted = bench.clock.now().saturating_since(renewed);
    assert!(lasted >= seconds(19) && lasted <= seconds(19) + Duration::from_millis(2), "{lasted:?}");
    bench.at_rest().await;
    assert!(!bench.store.released_while_held.load(Ordering::SeqCst), "the state turns before the release");
    assert!(!bench.stands() && !leadership.is_held());
    leadership.resign().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_known_loss_is_told_at_once_and_released() {
    let bench = Bench::new();
    let (leadership, beat) = bench.won().await;
    beat.send(Pulse::Lost(error(ErrorKind::Conflict))).await.unwrap();
    assert_eq!(leadership.lost().await.kind(), ErrorKind::Conflict);
    bench.at_rest().await;
    assert!(!bench.stands());
}

#[tokio::test(start_paused = true)]
async fn a_resignation_that_meets_a_loss_is_answered() {
    let bench = Bench::new();
    let (leadership, beat) = bench.won().await;
    beat.send(Pulse::Lost(error(ErrorKind::LeaseLost))).await.unwrap();
    leadership.lost().await;
    leadership.resign().await.unwrap();
    bench.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn candidates_outlast_an_unavailable_store() {
    let bench = Bench::new();
    bench.store.failures.store(8, Ordering::SeqCst);
    let (leadership, _beat) = bench.won().await;
    assert!(leadership.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_comes_after_its_deadline_is_not_a_win() {
    let mut bench = Bench::new();
    bench.ttl = seconds(5);
    let elect = bench.elect(CancellationToken::new());
    let grant = async {
        tokio::time::sleep(seconds(8)).await;
        bench.store.grant();
    };
    let ((leadership, _beat), ()) = tokio::join!(elect, grant);
    let leadership = leadership.unwrap();
    assert!(leadership.is_held());
    assert_eq!(leadership.token().value(), 2, "it stood anew");
    assert_eq!(bench.store.releases.load(Ordering::SeqCst), 1, "the late candidate was withdrawn");
}

#[tokio::test(start_paused = true)]
async fn cancel_returns_when_every_candidacy_is_withdrawn() {
    let bench = Bench::new();
    let contest = Contest::new("test");
    let entry = contest.enter(service("one").id()).unwrap();
    assert_eq!(contest.enter(service("one").id()).unwrap_err().kind(), ErrorKind::Conflict);
    let cancel = async {
        eventually("the candidate stands", || bench.stands()).await;
        contest.cancel().await.unwrap();
        assert!(!bench.stands());
    };
    let ((outcome, _beat), ()) = tokio::join!(bench.elect(entry), cancel);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Canceled);
    bench.at_rest().await;
    contest.cancel().await.unwrap();
    bench.store.grant();
    let (again, _beat) = bench.elect(contest.enter(service("one").id()).unwrap()).await;
    contest.cancel().await.unwrap();
    assert!(again.unwrap().is_held(), "a cancel leaves a leader alone");
}

#[tokio::test(start_paused = true)]
async fn resign_answers_in_time_and_release_goes_on() {
    let bench = Bench::new();
    let (leadership, _beat) = bench.won().await;
    let tenure = leadership.tenure();
    bench.store.broken.store(true, Ordering::SeqCst);
    let start = bench.clock.now();
    assert_eq!(leadership.resign().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(!tenure.is_held());
    assert!(bench.clock.now().saturating_since(start) <= seconds(3) + Duration::from_millis(10));
    bench.store.broken.store(false, Ordering::SeqCst);
    bench.at_rest().await;
    assert!(!bench.stands());
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_ends_leaders_and_candidates() {
    let bench = Bench::new();
    let (leadership, _beat) = bench.won().await;
    bench.supervisor.close().await;
    assert_eq!(leadership.lost().await.kind(), ErrorKind::Closed);
    assert!(!bench.stands());

    let bench = Bench::new();
    let close = async {
        eventually("the candidate stands", || bench.stands()).await;
        bench.supervisor.close().await;
    };
    let ((outcome, _beat), ()) = tokio::join!(bench.elect(CancellationToken::new()), close);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!bench.stands());
}

#[test]
fn a_runtime_that_ends_ends_the_leadership() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (leadership, _beat, _bench) = runtime.block_on(async {
        let bench = Bench { clock: Clock::BOOT, ..Bench::new() };
        let (leadership, beat) = bench.won().await;
        (leadership, beat, bench)
    });
    assert!(leadership.is_held());
    drop(runtime);
    assert!(!leadership.is_held());
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(other.block_on(leadership.lost()).kind(), ErrorKind::Closed);
    assert!(other.block_on(leadership.resign()).is_ok());
}
