//! The store that refuses the writes of past leaders.
#![cfg(test)]

use std::{process, time::Duration};

use reception_lab::{
    Error, FencedStore, FencedWriter, fenced_write,
    history::{Event, Recorder, Token, read},
};

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_smaller_token_is_refused_and_an_equal_one_is_not() {
    let store = FencedStore::start().await.unwrap();
    let mut writer = FencedWriter::new(store.endpoint());
    for (value, accepted) in [(5, true), (5, true), (4, false), (6, true), (5, false)] {
        let answer = writer.write(&Token::new("d", value), LIMIT).await.unwrap();
        assert_eq!(answer.accepted, accepted, "{value}");
    }
    let values: Vec<_> = store.accepted().iter().map(|token| token.value).collect();
    assert_eq!(values, [5, 5, 6]);
}

#[tokio::test]
async fn domains_have_fences_of_their_own() {
    let store = FencedStore::start().await.unwrap();
    assert!(fenced_write(store.endpoint(), &Token::new("old", 9), LIMIT).await.unwrap().accepted);
    assert!(fenced_write(store.endpoint(), &Token::new("new", 1), LIMIT).await.unwrap().accepted);
}

#[tokio::test]
async fn decisions_are_recorded_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let store = FencedStore::start_recording(Recorder::open(&path).unwrap()).await.unwrap();
    let writes = (0..8).map(|n| {
        let endpoint = store.endpoint();
        async move { fenced_write(endpoint, &Token::new("d", n % 3), LIMIT).await.unwrap() }
    });
    for write in writes.collect::<Vec<_>>() {
        write.await;
    }
    let lines = read(&path).unwrap();
    assert_eq!(lines.len(), 8);
    assert!(lines.iter().all(|line| line.event == Event::Write && line.pid == process::id()));
    let seqs: Vec<_> = lines.iter().filter_map(|line| line.details.get("seq")).collect();
    assert_eq!(seqs, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert!(lines.is_sorted_by_key(|line| line.ns));
}

#[tokio::test]
async fn a_writer_is_told_when_the_store_is_gone() {
    let store = FencedStore::start().await.unwrap();
    let mut writer = FencedWriter::new(store.endpoint());
    writer.write(&Token::new("d", 1), LIMIT).await.unwrap();
    drop(store);
    assert!(writer.write(&Token::new("d", 2), LIMIT).await.is_err());
}

#[tokio::test]
async fn a_write_to_a_silent_store_is_bounded() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let limit = Duration::from_millis(50);
    let error = fenced_write(silent.local_addr().unwrap(), &Token::new("d", 1), limit).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}
