//! Both halves of the guards, without a backend and partly without a runtime.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::join};
use reception_core::{
    Clock, Error, ErrorKind, FencingToken, Leadership, LeadershipControl, Moment, Registration,
    RegistrationState, Release, Request, Service,
};

fn service() -> Service {
    Service::builder("api", "10.0.0.7", 80).id("i").build().expect("valid")
}

struct Hand(Arc<AtomicU64>);

impl Hand {
    fn new() -> (Self, Clock) {
        let millis = Arc::new(AtomicU64::new(1_000));
        let read = Arc::clone(&millis);
        let clock =
            Clock::from_fn(move || Moment::from_duration(Duration::from_millis(read.load(Ordering::SeqCst))));
        (Self(millis), clock)
    }

    fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

fn lead(until: u64) -> (Leadership, LeadershipControl, Hand) {
    let (hand, clock) = Hand::new();
    let until = Moment::from_duration(Duration::from_millis(until));
    let (guard, control) = Leadership::pair(service(), FencingToken::new([1; 16], 7), clock, until);
    (guard, control, hand)
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn is_held_turns_false_at_the_deadline_by_the_clock_alone_and_never_true_again() {
    let (guard, control, hand) = lead(2_000);
    hand.set(1_999);
    assert!(guard.is_held());
    hand.set(2_000);
    assert!(!guard.is_held());
    hand.set(1_000);
    assert!(!guard.is_held(), "once false, false for ever");
    let sent = Moment::from_duration(Duration::from_secs(1));
    assert!(!control.extend(sent, Duration::from_secs(60), Duration::ZERO), "a late renewal revives nothing");
    assert_eq!(guard.remaining(), Duration::ZERO);
}

#[test]
fn a_renewal_moves_the_deadline_from_its_send_time_and_never_back() {
    let (guard, control, hand) = lead(2_000);
    let at = |millis| Moment::from_duration(Duration::from_millis(millis));
    assert!(control.extend(at(1_500), Duration::from_secs(1), Duration::from_millis(100)));
    assert!(control.extend(at(1_000), Duration::from_secs(1), Duration::from_millis(100)));
    hand.set(2_399);
    assert!(guard.is_held());
    hand.set(2_400);
    assert!(!guard.is_held());
}

#[test]
fn lost_is_ready_at_its_first_poll_after_the_deadline_without_any_task() {
    let (guard, _control, hand) = lead(2_000);
    let mut waiting = Box::pin(guard.lost());
    assert!(waiting.as_mut().now_or_never().is_none());
    hand.set(2_000);
    assert_eq!(waiting.as_mut().now_or_never().map(|error| error.kind()), Some(ErrorKind::LeaseLost));
    assert!(guard.lost().now_or_never().is_some(), "latched");
}

#[tokio::test]
async fn the_first_cause_stays_and_wakes_every_waiter() {
    let (guard, control, _hand) = lead(2_000);
    let (one, two) = (guard.lost(), guard.tenure().lost());
    let lose = async {
        control.lose(Error::new(ErrorKind::LeaseLost, "test", "lead", "first"));
        control.lose(Error::new(ErrorKind::Conflict, "test", "lead", "second"));
    };
    let ((first, second), ()) = join(join(one, two), lose).await;
    assert_eq!((first.context(), second.context()), ("first", "first"));
}

#[tokio::test]
async fn run_drops_the_work_at_the_loss() {
    let (guard, control, _hand) = lead(2_000);
    let work = guard.run(std::future::pending::<()>());
    let lose = async { control.lose(Error::new(ErrorKind::LeaseLost, "test", "lead", "gone")) };
    let (outcome, ()) = join(work, lose).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::LeaseLost));
    let (guard, _control, _hand) = lead(2_000);
    assert_eq!(guard.run(async { 5 }).await.ok(), Some(5));
}

#[tokio::test]
async fn resigning_is_not_held_before_the_backend_hears_of_it() {
    let (guard, mut control, _hand) = lead(2_000);
    let tenure = guard.tenure();
    let mut resigning = Box::pin(guard.resign());
    assert!(poll(resigning.as_mut()).is_pending());
    assert!(!tenure.is_held());
    let Release::Resigned(reply) = control.released().await else { panic!("not resigned") };
    reply.send(Ok(()));
    assert!(resigning.await.is_ok());
}

#[tokio::test]
async fn resigning_what_was_lost_is_fine_whether_the_backend_still_listens_or_not() {
    let lost = || Error::new(ErrorKind::LeaseLost, "test", "lead", "gone");
    let (guard, control, _hand) = lead(2_000);
    control.lose(lost());
    let let_go = async { drop(control) };
    let (outcome, ()) = join(guard.resign(), let_go).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    let (guard, control, _hand) = lead(2_000);
    control.lose(lost());
    drop(control);
    assert!(guard.resign().await.is_ok());
}

#[tokio::test]
async fn dropping_a_leadership_releases_it() {
    let (guard, mut control, _hand) = lead(2_000);
    let tenure = guard.tenure();
    drop(guard);
    assert!(!tenure.is_held());
    assert!(matches!(control.released().await, Release::Dropped));
    assert!(matches!(control.released().await, Release::Dropped), "asking again does not hang");
}

#[tokio::test]
async fn a_deadline_of_never_never_comes() {
    let (_hand, clock) = Hand::new();
    let (guard, _control) = Leadership::pair(service(), FencingToken::new([1; 16], 7), clock, Moment::NEVER);
    assert!(guard.is_held());
    assert_eq!(guard.remaining(), Duration::MAX);
}

#[tokio::test]
async fn a_dropped_registration_is_abandoned_once() {
    let (guard, mut control) = Registration::pair(service());
    drop(guard);
    assert!(matches!(control.request().await, Some(Request::Abandon)));
    assert!(control.request().await.is_none());
}

#[tokio::test]
async fn a_close_that_is_dropped_after_its_first_poll_still_reaches_the_backend() {
    let (guard, mut control) = Registration::pair(service());
    assert!(poll(Box::pin(guard.close())).is_pending());
    assert!(matches!(control.request().await, Some(Request::Close(_))));
    assert!(control.request().await.is_none());
}

#[tokio::test]
async fn an_update_keeps_name_and_id() {
    let (guard, _control) = Registration::pair(service());
    let other = service().to_builder().id("j").build().expect("valid");
    assert_eq!(guard.update(other).await.map_err(|error| error.kind()), Err(ErrorKind::InvalidInstance));
}

#[tokio::test]
async fn a_guard_whose_backend_is_gone_answers_closed_and_its_changes_end() {
    let (guard, control) = Registration::pair(service());
    let mut changes = guard.changes();
    assert!(matches!(changes.next().await, Some(RegistrationState::Active)));
    drop(control);
    assert!(
        matches!(changes.next().await, Some(RegistrationState::Ended(error)) if error.kind() == ErrorKind::Closed)
    );
    assert!(changes.next().await.is_none());
    assert_eq!(guard.update(service()).await.map_err(|error| error.kind()), Err(ErrorKind::Closed));
    assert_eq!(guard.close().await.map_err(|error| error.kind()), Err(ErrorKind::Closed));
}

#[tokio::test]
async fn ended_latches() {
    let (guard, control) = Registration::pair(service());
    control.set_state(RegistrationState::Ended(Error::new(ErrorKind::Conflict, "test", "register", "taken")));
    control.set_state(RegistrationState::Active);
    drop(control);
    assert!(matches!(guard.state(), RegistrationState::Ended(error) if error.kind() == ErrorKind::Conflict));
    assert_eq!(guard.close().await.map_err(|error| error.kind()), Err(ErrorKind::Conflict));
}
