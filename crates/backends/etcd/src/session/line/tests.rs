//! Cancellations and events that etcd should not send.

use etcd_client::{
    WatchResponse,
    proto::{PbEvent, PbWatchResponse},
};

use super::*;
use crate::testing::{answer, event};

fn refusal(watch_id: i64, reason: &str) -> WatchResponse {
    let cancel_reason = reason.to_owned();
    WatchResponse(PbWatchResponse { watch_id, cancel_reason, canceled: true, ..PbWatchResponse::default() })
}

#[test]
fn a_cancellation_without_a_reason_is_tried_again() {
    let Ended::Canceled { watch, error } = canceled("watch", &refusal(-1, "")) else {
        panic!("not canceled")
    };
    assert_eq!((watch, error.kind()), (-1, ErrorKind::Unavailable));
    assert!(error.context().contains("the server canceled the watch"), "{error}");
}

#[test]
fn a_stale_token_of_a_stream_is_no_wrong_password() {
    for reason in ["etcdserver: invalid auth token", "etcdserver: revision of auth store is old"] {
        let Ended::Canceled { error, .. } = canceled("watch", &refusal(-1, reason)) else {
            panic!("{reason}")
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{reason}");
    }
    let Ended::Canceled { error, .. } = canceled("watch", &refusal(-1, "etcdserver: permission denied"))
    else {
        panic!("not canceled")
    };
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[test]
fn a_compaction_is_told_by_its_revision_alone() {
    let mut told = refusal(3, "");
    told.0.compact_revision = 42;
    let Ended::Compacted { watch, first, .. } = canceled("watch", &told) else { panic!("not compacted") };
    assert_eq!((watch, first), (3, 42));
}

#[test]
fn an_event_of_an_unknown_type_is_read_by_its_record() {
    let events =
        vec![event(9, "k", 5, 1), event(-1, "k", 6, 0), PbEvent { r#type: 9, kv: None, prev_kv: None }];
    let gone: Vec<bool> = answer(None, events).events().iter().map(is_gone).collect();
    assert_eq!(gone, [false, true, true]);
}

#[test]
fn an_answer_without_a_header_has_no_position() {
    assert_eq!(Position::of(answer(None, Vec::new()).header()), Position::default());
}
