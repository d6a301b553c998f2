//! Which keys are watched together, and that a span tells no less than single watches.

use tokio::sync::watch;

use crate::{
    session::lookout::{Key, Lookout, Order, Position, Seen, behind},
    testing::{answer, event, header},
};

type Ears = Vec<watch::Receiver<Option<Seen>>>;

fn key(number: i64) -> String {
    format!("r/services/api/i{number:03}")
}

/// Adds eyes on these keys, each from its number on, which the stream does not have yet.
fn look(lookout: &Lookout, numbers: impl IntoIterator<Item = i64>) -> Ears {
    let mut table = lookout.table();
    let mut ears = Vec::new();
    for number in numbers {
        let (seen, ear) = watch::channel(None);
        let key = Key { key: key(number), from: number, told: 0, span: None, lease: 7, seen };
        table.next = table.next.max(number);
        table.keys.insert(number, key);
        table.fresh.push(number);
        ears.push(ear);
    }
    ears
}

/// The watches that are asked for, as their number and where they begin, and those that end.
fn orders(orders: Vec<Order>) -> (Vec<(i64, i64)>, Vec<i64>) {
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for order in orders {
        match order {
            Order::Add(range) => added.push((range.watch, range.from)),
            Order::Remove(watch) => removed.push(watch),
        }
    }
    (added, removed)
}

/// A message of `watch` that these keys were written.
fn puts(lookout: &Lookout, watch: i64, keys: &[String], revision: i64) {
    let events = keys.iter().map(|key| event(0, key, revision, 2)).collect();
    let mut told = answer(header(revision, 1), events);
    told.0.watch_id = watch;
    lookout.tell(&told, |_| false);
}

fn heard(ear: &mut watch::Receiver<Option<Seen>>) -> Option<i64> {
    match ear.has_changed().unwrap().then(|| ear.borrow_and_update().clone())? {
        Some(Seen::Put { revision, .. } | Seen::Gone { revision }) => Some(revision),
        _ => None,
    }
}

#[test]
fn a_crowd_of_one_service_is_one_watch_and_a_few_are_one_each() {
    let lookout = Lookout::default();
    let _few = look(&lookout, 10..13);
    assert_eq!(orders(lookout.orders()), (vec![(10, 10), (11, 11), (12, 12)], vec![]));
    let mut crowd = look(&lookout, 20..40);
    let (added, removed) = orders(lookout.orders());
    assert_eq!((added.len(), added[0].1, removed.len()), (1, 20, 0), "from the first of them on");
    let span = added[0].0;
    puts(&lookout, span, &[key(25), key(999)], 50);
    assert_eq!(heard(&mut crowd[5]), Some(50));
    assert!(crowd.iter_mut().all(|ear| heard(ear).is_none()), "each hears of its own key");
    // Another stream has one watch for all.
    let (added, _) = orders(lookout.all());
    assert_eq!((added.len(), added[0].1), (1, 10));
}

#[test]
fn a_wider_span_begins_before_what_was_not_told() {
    let lookout = Lookout::default();
    let mut first = look(&lookout, 20..40);
    let span = orders(lookout.orders()).0[0].0;
    puts(&lookout, span, &[key(39)], 60);
    let mut later = look(&lookout, 80..100);
    let (added, removed) = orders(lookout.orders());
    assert_eq!((added.len(), added[0].1, removed), (1, 60, vec![span]), "revision 60 may not be whole");
    // What the old one still tells is told again by the new one, and nobody hears it twice.
    puts(&lookout, span, &[key(30)], 61);
    assert_eq!(heard(&mut first[10]), None);
    let wider = added[0].0;
    puts(&lookout, wider, &[key(39)], 60);
    puts(&lookout, wider, &[key(30), key(90)], 61);
    assert_eq!((heard(&mut first[19]), heard(&mut first[10])), (Some(60), Some(61)));
    assert_eq!(heard(&mut later[10]), None, "it was written after that");
    puts(&lookout, wider, &[key(90)], 120);
    assert_eq!(heard(&mut later[10]), Some(120));
}

#[test]
fn a_single_key_is_taken_in_where_nothing_is_missed() {
    let lookout = Lookout::default();
    let _first = look(&lookout, (20..40).step_by(2));
    let span = orders(lookout.orders()).0[0].0;
    puts(&lookout, span, &[key(20)], 30);
    let mut inside = look(&lookout, [31]);
    assert_eq!(orders(lookout.orders()), (vec![], vec![]), "without a message");
    puts(&lookout, span, &[key(31)], 33);
    assert_eq!(heard(&mut inside[0]), Some(33));
    // What the span has told of cannot be told to whoever comes after.
    let _late = look(&lookout, [29]);
    assert_eq!(orders(lookout.orders()), (vec![(29, 29)], vec![]));
    let _outside = look(&lookout, [50]);
    assert_eq!(orders(lookout.orders()), (vec![(50, 50)], vec![]));
}

#[test]
fn where_others_write_much_each_key_is_watched_by_itself_again() {
    let lookout = Lookout::default();
    let _ears = look(&lookout, 20..30);
    let span = orders(lookout.orders()).0[0].0;
    for revision in 100..170 {
        puts(&lookout, span, &["r/services/api/i025x".to_owned()], revision);
    }
    let (added, removed) = orders(lookout.orders());
    assert_eq!(removed, [span]);
    assert_eq!(added, (20..30).map(|eye| (eye, 164)).collect::<Vec<_>>(), "from where the span was");
    let _more = look(&lookout, 200..220);
    assert_eq!(orders(lookout.orders()).0.len(), 20, "also those that come");
    assert_eq!(orders(lookout.all()).0.len(), 1, "until there is another stream");
}

#[test]
fn what_the_server_refuses_to_show_together_is_watched_one_by_one() {
    let lookout = Lookout::default();
    let _ears = look(&lookout, 20..30);
    let span = orders(lookout.orders()).0[0].0;
    drop(lookout.refused(span, behind()));
    assert_eq!(orders(lookout.all()).0.len(), 1, "it was no refusal");
    // etcd says so under -1.
    let span = -1;
    let denied = crate::error::error(reception_core::ErrorKind::Denied, "watch", "permission denied");
    assert_eq!(lookout.refused(span, denied.clone()).kind(), reception_core::ErrorKind::Unavailable);
    assert_eq!(lookout.refused(1, denied.clone()).kind(), denied.kind(), "known by now");
    assert_eq!(orders(lookout.all()).0.len(), 10);
}

#[test]
fn a_stream_goes_on_where_the_span_was_unless_the_store_is_behind() {
    let lookout = Lookout::default();
    let mut ears = look(&lookout, 20..30);
    let span = orders(lookout.orders()).0[0].0;
    puts(&lookout, span, &[key(25)], 100);
    assert_eq!(orders(lookout.all()).0[0].1, 100);
    assert!(lookout.rewind(Position { revision: 100, term: 1 }).is_none());
    // A server that lags, or a store that was set back to a state in which all of ours is as it was, but for the one that was told.
    assert_eq!(heard(&mut ears[5]), Some(100));
    assert!(lookout.rewind(Position { revision: 90, term: 1 }).is_some());
    assert_eq!(orders(lookout.all()).0[0].1, 20, "from the records on");
    assert!(matches!(&*ears[5].borrow_and_update(), Some(Seen::Unsure(_))));
    assert!(ears[4].borrow_and_update().is_none());
    assert!(lookout.rewind(Position { revision: 90, term: 1 }).is_none());
}

#[test]
fn after_a_compaction_all_that_need_older_history_begin_anew_together() {
    let lookout = Lookout::default();
    let mut ears = look(&lookout, 20..30);
    ears.extend(look(&lookout, [300]));
    let (added, _) = orders(lookout.orders());
    lookout.restart(added[0].0, 200, &behind());
    assert!(ears[..10].iter_mut().all(|ear| matches!(&*ear.borrow_and_update(), Some(Seen::Unsure(_)))));
    assert!(ears[10].borrow_and_update().is_none(), "its history is there");
    assert_eq!(orders(lookout.all()).0[0].1, 200);
}

#[test]
fn a_span_ends_with_the_last_of_its_keys() {
    let lookout = Lookout::default();
    let _ears = look(&lookout, 20..30);
    let span = orders(lookout.orders()).0[0].0;
    let mut table = lookout.table();
    for number in 20..29 {
        assert!(!table.spans.leave(span, &key(number), number));
    }
    assert!(table.spans.leave(span, &key(29), 29));
}
