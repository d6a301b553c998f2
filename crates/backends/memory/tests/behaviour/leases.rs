use std::time::Duration;

use futures_util::StreamExt as _;
use reception_core::{
    Client as _, ClientExt as _, ErrorKind, OnConflict, RegisterOptions, RegistrationState,
};
use reception_memory::Cluster;

use crate::{TTL, api, client, close, eventually, ids, pass, service, soon};

#[tokio::test(start_paused = true)]
async fn a_crashed_instance_disappears_after_its_ttl_and_not_before() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let registration = one.register(service("a")).await.unwrap();
    cluster.faults().of(&one).crash().await;
    pass(TTL - Duration::from_millis(50)).await;
    assert_eq!(ids(&other).await, ["a"]);
    pass(Duration::from_millis(50)).await;
    assert!(ids(&other).await.is_empty());
    assert!(
        matches!(registration.state(), RegistrationState::Ended(error) if error.kind() == ErrorKind::Closed)
    );
    assert_eq!(one.list(&api()).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_living_instance_stays_for_ever() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let _registration = one.register(service("a")).await.unwrap();
    for _ in 0..50 {
        pass(TTL / 3).await;
        assert_eq!(ids(&other).await, ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_lease_is_replaced_and_the_record_returns() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let registration = client.register(service("a")).await.unwrap();
    pass(Duration::from_secs(2)).await;
    cluster.faults().expire();
    assert!(ids(&client).await.is_empty());
    eventually(async || ids(&client).await == ["a"]).await;
    eventually(async || matches!(registration.state(), RegistrationState::Active)).await;
    pass(3 * TTL).await;
    assert_eq!(ids(&client).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_somebody_removes_comes_back() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let _registration = client.register(service("a")).await.unwrap();
    pass(Duration::from_secs(2)).await;
    cluster.remove("", "api", "a").unwrap();
    eventually(async || ids(&client).await == ["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_quick_restart_with_a_fixed_id_waits_out_the_dead_owner() {
    let cluster = Cluster::on_tokio_time();
    let (old, new) = (client(&cluster), client(&cluster));
    let _dead = old.register(service("a")).await.unwrap();
    cluster.faults().of(&old).crash().await;
    let start = tokio::time::Instant::now();
    let _registration = new.register(service("a")).await.unwrap();
    let took = start.elapsed();
    assert!(took > TTL - Duration::from_secs(1) && took < TTL + Duration::from_secs(1), "{took:?}");
    pass(2 * TTL).await;
    assert_eq!(ids(&new).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_living_owner_gets_conflict_or_replaces_the_first() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let first = one.register(service("a")).await.unwrap();
    let fail = RegisterOptions::default().on_conflict(OnConflict::Fail);
    assert_eq!(other.register_with(service("a"), fail).await.unwrap_err().kind(), ErrorKind::Conflict);
    let start = tokio::time::Instant::now();
    assert_eq!(other.register(service("a")).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(start.elapsed() >= TTL, "it waited out an owner that might have been dying");

    let replace = RegisterOptions::default().on_conflict(OnConflict::Replace);
    let _second = other.register_with(service("a"), replace).await.unwrap();
    let ended = soon(
        first
            .changes()
            .filter(|state| std::future::ready(matches!(state, RegistrationState::Ended(_))))
            .next(),
    )
    .await;
    assert!(matches!(ended, Some(RegistrationState::Ended(error)) if error.kind() == ErrorKind::Conflict));
    assert_eq!(ids(&one).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn one_client_registers_an_id_once() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let registration = client.register(service("a")).await.unwrap();
    let start = tokio::time::Instant::now();
    assert_eq!(client.register(service("a")).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(start.elapsed() < Duration::from_millis(200));
    drop(registration);
    let _again = client.register(service("a")).await.unwrap();
    assert_eq!(ids(&client).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_registration_withdraws_it() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let registration = client.register(service("a")).await.unwrap();
    drop(registration);
    eventually(async || ids(&client).await.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn closing_a_client_leaves_nothing() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let _registration = client.register(service("a")).await.unwrap();
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(service("a")).await.unwrap();
    assert_eq!(cluster.residue("").unwrap().len(), 4, "{:?}", cluster.residue(""));
    close(client.clone()).await;
    assert!(!leadership.is_held());
    assert!(cluster.residue("").unwrap().is_empty(), "{:?}", cluster.residue(""));
    close(client).await;
}

#[tokio::test(start_paused = true)]
async fn closing_during_a_partition_says_what_is_left_and_for_how_long() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let _registration = client.register(service("a")).await.unwrap();
    cluster.faults().partition();
    let error = soon(client.close()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        client.close().await.unwrap_err().kind(),
        ErrorKind::Unavailable,
        "a second close answers as the first"
    );
    pass(TTL).await;
    assert!(cluster.residue("").unwrap().is_empty());
}
