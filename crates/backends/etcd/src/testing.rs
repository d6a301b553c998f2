//! Answers of a watch that no server should give, built by hand.

use etcd_client::{
    WatchResponse,
    proto::{PbEvent, PbKeyValue, PbResponseHeader, PbWatchResponse},
};

/// A record as an event tells it; version 0 is a removal.
pub(crate) fn event(kind: i32, key: &str, revision: i64, version: i64) -> PbEvent {
    let kv = PbKeyValue {
        key: key.as_bytes().to_vec(),
        mod_revision: revision,
        version,
        value: br#"{"v":1,"address":"10.0.0.9","port":9000}"#.to_vec(),
        lease: 7,
        ..PbKeyValue::default()
    };
    PbEvent { r#type: kind, kv: Some(kv), prev_kv: None }
}

pub(crate) fn header(revision: i64, raft_term: u64) -> Option<PbResponseHeader> {
    Some(PbResponseHeader { revision, raft_term, ..PbResponseHeader::default() })
}

/// An answer for watch 1.
pub(crate) fn answer(header: Option<PbResponseHeader>, events: Vec<PbEvent>) -> WatchResponse {
    WatchResponse(PbWatchResponse { header, events, watch_id: 1, ..PbWatchResponse::default() })
}

/// The answer that watch 1 is there, by a store that is at this revision.
pub(crate) fn created(revision: i64) -> WatchResponse {
    let mut answer = answer(header(revision, 0), Vec::new());
    answer.0.created = true;
    answer
}
