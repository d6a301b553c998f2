//! What a program sees of a list.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{
    Change, Client, ClientExt as _, Dialer, ErrorKind, ListOptions, OnConflict, RegisterOptions, Service,
    ServiceName, Status,
};
use tokio::time::timeout;

async fn dial(url: &str) -> Arc<dyn Client> {
    let dialer = Dialer::new().with(reception_static::BACKEND).expect("a free scheme");
    dialer.dial(url).await.expect("a good URL")
}

fn name(text: &str) -> ServiceName {
    text.parse().expect("a name")
}

#[tokio::test]
async fn a_watch_is_one_reset_and_then_quiet() {
    let client = dial("static://h2:80,h1:80/?name=api").await;
    let mut watcher = client.watch(&name("api")).await.expect("a watch");
    match timeout(Duration::from_secs(5), watcher.next()).await.expect("in time") {
        Some(Ok(Change::Reset(view))) => {
            assert_eq!(view.iter().map(|one| one.id().as_str()).collect::<Vec<_>>(), ["h1:80", "h2:80"]);
            assert!(view.iter().all(|one| one.status() == Status::Up));
        }
        other => panic!("the first item is {other:?}"),
    }
    assert!(timeout(Duration::from_millis(200), watcher.next()).await.is_err(), "a list does not change");
    client.close().await.expect("closed");
    let end = timeout(Duration::from_secs(5), watcher.next()).await.expect("in time");
    assert!(matches!(end, Some(Err(error)) if error.kind() == ErrorKind::Closed));
    let listed = client.list(&name("api")).await;
    assert_eq!(listed.expect_err("closed").kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn any_other_name_is_an_empty_set() {
    let client = dial("static://h1:80/?name=api").await;
    assert!(client.list(&name("other")).await.expect("a list").is_empty());
    let all = ListOptions::default().any_status(true);
    assert_eq!(client.list_with(&name("api"), all).await.expect("a list").len(), 1);
    assert_eq!(client.names().await.expect("names").into_iter().collect::<Vec<_>>(), [name("api")]);
    let mut watcher = client.watch(&name("other")).await.expect("a watch");
    let first = timeout(Duration::from_secs(5), watcher.next()).await.expect("in time");
    assert!(matches!(first, Some(Ok(Change::Reset(view))) if view.is_empty()));
    client.close().await.expect("closed");
}

#[tokio::test]
async fn to_register_and_to_elect_are_unsupported_but_bad_values_are_told_first() {
    let client = dial("static://h1:80/?name=api").await;
    let service = Service::new("api", "10.0.0.7", 8080).expect("an instance");
    for on_conflict in [OnConflict::Wait, OnConflict::Replace] {
        let options = RegisterOptions::default().on_conflict(on_conflict);
        let refused = client.register_with(service.clone(), options).await.expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
    let bad = service.to_builder().port(0).build_foreign().expect("a foreign instance");
    assert_eq!(client.register(bad).await.expect_err("refused").kind(), ErrorKind::InvalidInstance);
    let refused = client.elector(&"reaper".parse().expect("a name")).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(client.probe().await.expect("a probe").endpoints[0].outcome.is_ok());
    client.close().await.expect("closed");
}
