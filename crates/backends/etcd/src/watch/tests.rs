//! Answers of a watch that etcd should not give: none of them breaks the view or moves its position back.

use std::time::Duration;

use reception_core::Clock;
use reception_kit::Supervisor;

use super::*;
use crate::{
    layout::Layout,
    testing::{answer, event, header},
};

fn instances() -> Instances {
    let supervisor = Supervisor::new("etcd").unwrap();
    let times = (Duration::from_secs(1), Duration::from_secs(1));
    let session = Session::new(Layout::new("test").unwrap(), supervisor, Clock::BOOT, times, Vec::new());
    let mut instances = Instances::new(&session, &ServiceName::new("api").unwrap());
    instances.place = Place { at: Position { revision: 10, term: 3 }, keys: 1, ..Place::default() };
    instances
}

#[tokio::test]
async fn an_answer_without_a_header_changes_no_position() {
    let mut instances = instances();
    let patch = instances.take(&answer(None, Vec::new()));
    assert_eq!((patch.upserted().len(), patch.removed().len()), (0, 0));
    assert_eq!(instances.place.at, Position { revision: 10, term: 3 });
}

#[tokio::test]
async fn a_revision_that_goes_backwards_moves_nothing_back() {
    let mut instances = instances();
    let patch = instances.take(&answer(header(4, 1), vec![event(0, "test/services/api/one", 4, 2)]));
    assert_eq!(patch.upserted().len(), 1);
    assert_eq!(instances.place.at, Position { revision: 10, term: 3 });
}

#[tokio::test]
async fn an_unknown_type_of_event_is_read_by_its_record() {
    let mut instances = instances();
    let patch = instances.take(&answer(header(11, 3), vec![event(9, "test/services/api/one", 11, 1)]));
    assert_eq!((patch.upserted().len(), instances.place.keys), (1, 2));
    let patch = instances.take(&answer(header(12, 3), vec![event(9, "test/services/api/one", 12, 0)]));
    assert_eq!((patch.removed().len(), instances.place.keys), (1, 1));
    assert_eq!(instances.place.at.revision, 12);
}
