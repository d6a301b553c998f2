use std::time::Duration;

use futures_util::StreamExt as _;
use reception_core::{Change, ClientExt as _, ErrorKind, RegistrationState};
use reception_memory::{Cluster, Options};

use crate::{HARMLESS, TTL, api, client, eventually, ids, pass, service, soon, until_view};

#[tokio::test(start_paused = true)]
async fn a_partition_shorter_than_the_ttl_loses_nothing() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let registration = one.register(service("a")).await.unwrap();
    let mut watcher = other.watch(&api()).await.unwrap();
    until_view(&mut watcher, |view| view.len() == 1).await;
    for _ in 0..20 {
        cluster.faults().of(&one).partition();
        pass(HARMLESS).await;
        cluster.faults().of(&one).heal();
        pass(TTL).await;
        assert!(matches!(registration.state(), RegistrationState::Active), "{:?}", registration.state());
    }
    let quiet = tokio::time::timeout(Duration::from_secs(1), watcher.next()).await;
    assert!(quiet.is_err(), "nothing flapped: {quiet:?}");
}

#[tokio::test(start_paused = true)]
async fn a_partition_longer_than_the_ttl_shows_as_one_removal_and_one_return() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let registration = one.register(service("a")).await.unwrap();
    let mut watcher = other.watch(&api()).await.unwrap();
    until_view(&mut watcher, |view| view.len() == 1).await;
    cluster.faults().of(&one).partition();
    pass(2 * TTL).await;
    assert!(matches!(registration.state(), RegistrationState::Doubtful(_)));
    until_view(&mut watcher, reception_core::Snapshot::is_empty).await;
    cluster.faults().of(&one).heal();
    let seen = until_view(&mut watcher, |view| view.len() == 1).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    eventually(async || matches!(registration.state(), RegistrationState::Active)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_in_a_partition_are_unavailable_and_name_the_store() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    cluster.faults().partition();
    let error = client.list(&api()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("memory:"), "{error}");
    assert_eq!(client.register(service("a")).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn calls_into_silence_run_into_their_timeout() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let mut watcher = client.watch(&api()).await.unwrap();
    until_view(&mut watcher, reception_core::Snapshot::is_empty).await;
    cluster.faults().silence();
    let start = tokio::time::Instant::now();
    assert_eq!(client.list(&api()).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(start.elapsed(), Options::default().timeout);
    assert!(matches!(soon(watcher.next()).await, Some(Ok(Change::Stale(_)))));
    cluster.faults().heal();
    assert!(matches!(soon(watcher.next()).await, Some(Ok(Change::Reset(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_delay_takes_its_time_and_breaks_nothing() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    cluster.faults().delay(Duration::from_millis(300));
    let start = tokio::time::Instant::now();
    client.list(&api()).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(300));
    let registration = client.register(service("a")).await.unwrap();
    pass(3 * TTL).await;
    assert_eq!(ids(&client).await, ["a"]);
    registration.close().await.unwrap();
    assert!(ids(&client).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_leaves_nothing_behind() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    // The store acts after 4 s, the caller gives up after 5 s, the answer would come after 8 s.
    cluster.faults().delay(Duration::from_secs(8));
    assert_eq!(client.register(service("a")).await.unwrap_err().kind(), ErrorKind::Timeout);
    cluster.faults().heal();
    eventually(async || ids(&client).await.is_empty()).await;
    pass(3 * TTL).await;
    assert!(ids(&client).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_paused_client_renews_nothing_and_repairs_when_it_runs_again() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let _registration = one.register(service("a")).await.unwrap();
    cluster.faults().of(&one).pause();
    pass(TTL + Duration::from_millis(50)).await;
    assert!(ids(&other).await.is_empty());
    let waits = tokio::time::timeout(Duration::from_secs(1), one.list(&api())).await;
    assert!(waits.is_err(), "a stopped process answers nothing");
    cluster.faults().of(&one).resume();
    eventually(async || ids(&other).await == ["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_store_ends_no_lease() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let registration = client.register(service("a")).await.unwrap();
    cluster.faults().stall(3 * TTL);
    assert_eq!(client.list(&api()).await.unwrap_err().kind(), ErrorKind::Timeout);
    pass(3 * TTL).await;
    assert_eq!(ids(&client).await, ["a"]);
    eventually(async || matches!(registration.state(), RegistrationState::Active)).await;
}

#[tokio::test(start_paused = true)]
async fn a_narrowed_handle_leaves_other_clients_alone() {
    let cluster = Cluster::on_tokio_time();
    let one = cluster.client(Options::default().namespace("one")).unwrap();
    let other = cluster.client(Options::default().namespace("other")).unwrap();
    cluster.faults().within("/one/").unwrap().partition();
    assert!(one.list(&api()).await.is_err());
    assert!(other.list(&api()).await.is_ok());
    let later = cluster.client(Options::default().namespace("one")).unwrap();
    assert!(later.list(&api()).await.is_ok(), "a fault hits the clients that are there");
}
