//! Single turns of a keeper, each with what must follow it.

use super::*;

fn at(start: Moment, millis: u64) -> Moment {
    start.saturating_add(Duration::from_millis(millis))
}

fn registered(on_conflict: OnConflict) -> (Keeper, Moment) {
    let start = Moment::from_duration(Duration::from_secs(100));
    let terms = Terms {
        backend: "test",
        on_conflict,
        timeout: TIMEOUT,
        crash_bound: TIMEOUT,
        reconcile: Duration::ZERO,
    };
    let mut keeper = Keeper::new(service(1), terms, Backoff::seeded(1), start);
    keeper.begin();
    keeper.step(Input::Wrote(1, Ok(())), start);
    (keeper, start)
}

fn writes(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Write(..))).count()
}

#[test]
fn a_conflict_is_waited_out_for_a_dying_owner_and_no_longer() {
    let start = Moment::from_duration(Duration::from_secs(100));
    let mut keeper = keeper_with(OnConflict::Wait, start);
    let (mut now, mut number) = (start, 1);
    loop {
        let actions = keeper.step(Input::Wrote(number, Err(error(ErrorKind::Conflict))), now);
        if actions.iter().any(|action| matches!(action, Action::Withdraw(_))) {
            break;
        }
        now = keeper.deadline();
        assert_eq!(writes(&keeper.step(Input::Tick, now)), 1);
        number += 1;
    }
    assert_eq!(now, start.saturating_add(TIMEOUT * 2));
    let actions = keeper.step(Input::Withdrew(number + 1, Ok(())), now);
    let conflict =
        |action: &Action| matches!(action, Action::Registered(Err(e)) if e.kind() == ErrorKind::Conflict);
    assert!(actions.iter().any(conflict), "{actions:?}");
}

fn keeper_with(on_conflict: OnConflict, start: Moment) -> Keeper {
    let terms = Terms {
        backend: "test",
        on_conflict,
        timeout: TIMEOUT,
        crash_bound: TIMEOUT,
        reconcile: Duration::ZERO,
    };
    let mut keeper = Keeper::new(service(1), terms, Backoff::seeded(1), start);
    keeper.begin();
    keeper
}

#[test]
fn news_that_the_id_is_free_brings_the_next_try_forward() {
    let start = Moment::from_duration(Duration::from_secs(100));
    let mut keeper = keeper_with(OnConflict::Wait, start);
    let slow = error(ErrorKind::Conflict).with_retry(reception_core::Retry::After(TIMEOUT));
    keeper.step(Input::Wrote(1, Err(slow)), start);
    keeper.step(Input::News(News::Healthy), at(start, 10));
    assert_eq!(keeper.deadline(), start.saturating_add(NUDGE));
}

#[test]
fn a_withdrawal_that_had_to_wait_for_a_write_gets_time_of_its_own() {
    let (mut keeper, start) = registered(OnConflict::Wait);
    keeper.step(Input::Update(1, service(2)), start);
    keeper.step(Input::Closing, start);
    let cut = keeper.deadline();
    assert_eq!(cut, start.saturating_add(TIMEOUT));
    let actions = keeper.step(Input::Tick, cut);
    assert!(actions.iter().any(|action| matches!(action, Action::Cut)), "{actions:?}");
    assert!(actions.iter().any(|action| matches!(action, Action::Withdraw(_))), "{actions:?}");
    assert!(keeper.deadline() > cut);
}

#[test]
fn an_update_that_cannot_be_sent_does_not_end_a_repair_that_is_due() {
    let (mut keeper, start) = registered(OnConflict::Wait);
    keeper.step(Input::Update(1, service(2)), start);
    keeper.step(Input::Wrote(2, Err(error(ErrorKind::Timeout))), start);
    keeper.step(Input::Update(2, service(3)), start);
    keeper.step(Input::Wrote(3, Err(error(ErrorKind::TooLarge))), start);
    let actions = keeper.step(Input::Tick, keeper.deadline());
    let repairs = |action: &Action| matches!(action, Action::Write(_, record, Attempt::Repair) if *record == service(1));
    assert!(actions.iter().any(repairs), "{actions:?}");
}

#[test]
fn two_owners_that_take_an_id_in_turn_are_slowed_down() {
    let (mut keeper, start) = registered(OnConflict::Wait);
    let lost = || Input::News(News::Lost(error(ErrorKind::LeaseLost)));
    assert_eq!(writes(&keeper.step(lost(), at(start, 100))), 0);
    assert!(keeper.deadline() > at(start, 100));
    let (mut calm, start) = registered(OnConflict::Wait);
    assert_eq!(writes(&calm.step(lost(), at(start, 1_000))), 1);
}

#[test]
fn a_failed_repair_is_tried_for_ever() {
    let (mut keeper, start) = registered(OnConflict::Wait);
    keeper.step(Input::News(News::Lost(error(ErrorKind::LeaseLost))), at(start, 5_000));
    let (mut now, mut number) = (at(start, 5_000), 2);
    for _ in 0..500 {
        keeper.step(Input::Wrote(number, Err(error(ErrorKind::Unavailable))), now);
        let next = keeper.deadline();
        assert!(next.saturating_since(now) <= Duration::from_secs(5));
        now = next;
        assert_eq!(writes(&keeper.step(Input::Tick, now)), 1);
        number += 1;
    }
}
