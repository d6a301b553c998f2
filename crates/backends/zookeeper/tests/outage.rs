//! A server that is away for seconds, and back.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, Dialer, RegistrationState, Service, ServiceName};
use reception_lab::{Proxy, ZooKeeper, ZooKeeperSession, eventually};
use tokio::time::Instant;

/// Shorter than what a session of this long bridges by 2 s and more.
const AWAY: Duration = Duration::from_millis(4200);
const TTL: &str = "10s";
/// The driver itself would try again 2.5 s later.
const SOON: Duration = Duration::from_millis(1500);

async fn dial(proxy: &Proxy) -> Arc<dyn Client> {
    let url = format!("zk://{}/prod?ttl={TTL}&timeout=20s", proxy.endpoint());
    Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_back_soon_after_its_server_however_long_that_was_away() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let proxy = Proxy::start(zookeeper.endpoint()).await.unwrap();
    let client = dial(&proxy).await;
    let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(one.clone()).await.unwrap();
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(one).await.unwrap();
    // Twice: what a session stands on after the first time is another connection of another driver.
    for round in 0..2 {
        proxy.cut().await.unwrap();
        tokio::time::sleep(AWAY).await;
        proxy.heal().await.unwrap();
        let back = Instant::now();
        let all = client.list(&ServiceName::new("api").unwrap()).await.unwrap();
        let took = back.elapsed();
        assert_eq!(all.len(), 1, "round {round}");
        assert!(took < SOON, "round {round}: back after {took:?}");
        assert!(leadership.is_held(), "round {round}: {:?}", leadership.tenure().lost().await);
        // So that the next break finds a session that was heard of just now.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(matches!(registration.state(), RegistrationState::Active), "{:?}", registration.state());
    let openings = proxy.openings();
    let sessions: BTreeSet<_> =
        openings.iter().filter_map(|opening| Some(ZooKeeperSession::read(opening)?.id())).collect();
    assert_eq!(sessions.len(), 1, "the session was replaced");
    leadership.resign().await.unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_outlives_a_server_that_was_down_for_longer_than_it() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let url = format!("zk://{}/prod?ttl=2s&timeout=20s", zookeeper.endpoint());
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(one).await.unwrap();
    let owner = || async {
        let direct = zookeeper_client::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
        let found = direct.check_stat("/prod/api/one").await.unwrap();
        found.map(|stat| (stat.ephemeral_owner, stat.czxid))
    };
    let before = owner().await;
    zookeeper.kill();
    // The driver itself gives a session up after 1.4 of its time.
    tokio::time::sleep(Duration::from_secs(5)).await;
    // The server begins its time anew.
    zookeeper.restart().await.unwrap();
    let active = eventually(Duration::from_secs(10), || async {
        match registration.state() {
            RegistrationState::Active => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    active.await.unwrap();
    // Past the end of that time, too.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(before.is_some());
    assert_eq!(owner().await, before, "the record was made anew");
    registration.close().await.unwrap();
    client.close().await.unwrap();
}
