//! What an eye is told, and by which answers.

use super::*;
use crate::testing::{answer, created, event, header};

fn key(key: &str, from: i64, lease: i64, seen: watch::Sender<Option<Seen>>) -> Key {
    Key { key: key.to_owned(), from, told: 0, span: None, lease, seen }
}

fn looking(from: i64, lease: i64) -> (Lookout, watch::Receiver<Option<Seen>>) {
    let lookout = Lookout::default();
    let (seen, eye) = watch::channel(None);
    lookout.table().keys.insert(1, key("k", from, lease, seen));
    (lookout, eye)
}

fn from(lookout: &Lookout) -> i64 {
    lookout.table().keys[&1].from
}

fn unsure(eye: &mut watch::Receiver<Option<Seen>>) -> bool {
    matches!(&*eye.borrow_and_update(), Some(Seen::Unsure(_)))
}

fn at(revision: i64, term: u64) -> Position {
    Position { revision, term }
}

#[test]
fn a_store_that_is_behind_is_looked_at_from_where_it_is() {
    let (lookout, mut eye) = looking(10, 0);
    assert!(lookout.rewind(at(9, 3)).is_none());
    assert!(!unsure(&mut eye));
    assert!(lookout.rewind(at(4, 3)).is_some());
    assert!(unsure(&mut eye));
    assert_eq!(from(&lookout), 5);
    assert!(lookout.rewind(at(4, 3)).is_none());
}

#[test]
fn what_is_written_while_the_stream_opens_is_not_ahead_of_the_store() {
    let (lookout, mut eye) = looking(10, 0);
    lookout.table().fresh.push(1);
    assert!(lookout.rewind(at(4, 3)).is_none());
    assert!(!unsure(&mut eye));
    assert_eq!(from(&lookout), 10);
    // The next stream is opened with it.
    assert_eq!(lookout.all().len(), 1);
    assert!(lookout.rewind(at(4, 3)).is_some());
    assert!(unsure(&mut eye));
}

#[test]
fn what_was_written_to_a_store_before_it_was_set_back_is_compared() {
    // Looked at only while a stream to the store that was set back was opening, or open.
    let (lookout, mut eye) = looking(10, 0);
    lookout.tell(&created(9), |_| false);
    assert!(!unsure(&mut eye));
    lookout.tell(&created(0), |_| false);
    assert!(!unsure(&mut eye), "an answer that tells nothing");
    lookout.tell(&created(4), |_| false);
    assert!(unsure(&mut eye));
    // A server that lags will come there; its owner sees which it is by what it finds.
    assert_eq!(from(&lookout), 10);
}

#[test]
fn a_store_that_was_set_back_is_told_also_to_what_came_meanwhile() {
    let (lookout, mut eye) = looking(10, 0);
    lookout.table().fresh.push(1);
    let (seen, mut other) = watch::channel(None);
    lookout.table().keys.insert(2, key("l", 8, 0, seen));
    assert!(lookout.rewind(at(4, 3)).is_some());
    assert!(unsure(&mut other));
    assert!(unsure(&mut eye));
    assert_eq!(from(&lookout), 5);
}

#[test]
fn a_store_with_an_older_leader_is_compared() {
    let (lookout, mut eye) = looking(10, 0);
    lookout.tell(&answer(header(9, 8), Vec::new()), |_| false);
    assert!(lookout.rewind(at(20, 2)).is_some());
    assert!(unsure(&mut eye));
    assert_eq!(from(&lookout), 10);
    assert!(lookout.rewind(at(21, 2)).is_none());
}

#[test]
fn an_answer_without_a_header_rewinds_nothing() {
    let (lookout, mut eye) = looking(10, 0);
    assert!(lookout.rewind(Position::default()).is_none());
    assert!(!unsure(&mut eye));
    assert_eq!(from(&lookout), 10);
}

#[test]
fn a_revision_that_goes_backwards_is_told_and_moves_nothing_back() {
    let (lookout, mut eye) = looking(10, 0);
    lookout.tell(&answer(header(20, 1), vec![event(0, "k", 20, 2)]), |_| false);
    assert!(matches!(&*eye.borrow_and_update(), Some(Seen::Put { revision: 20, lease: 7 })));
    lookout.tell(&answer(header(12, 1), vec![event(1, "k", 12, 0)]), |_| false);
    assert!(matches!(&*eye.borrow_and_update(), Some(Seen::Gone { revision: 12 })));
    assert_eq!(from(&lookout), 21);
}

#[test]
fn a_record_that_is_not_on_its_lease_is_noticed() {
    let (lookout, mut eye) = looking(10, 7);
    let there = BTreeSet::from([b"k".to_vec()]);
    assert_eq!(lookout.resting(8), Vec::<i64>::new());
    let resting = lookout.resting(7);
    lookout.missed(&resting, 7, &there);
    assert!(!unsure(&mut eye));
    // Written on another lease meanwhile.
    lookout.missed(&resting, 8, &BTreeSet::new());
    assert!(!unsure(&mut eye));
    lookout.missed(&resting, 7, &BTreeSet::new());
    assert!(unsure(&mut eye));
}
