//! What stands on which lease, and what is left when an answer was lost.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests panic")]

#[expect(dead_code, reason = "each test program uses its part")]
mod support;

use std::time::Duration;

use etcd_client::{Client as Direct, GetOptions, PutOptions};
use futures_util::{StreamExt, TryStreamExt, stream};
use reception_core::{ClientExt, ElectionName, ErrorKind, RegistrationState};
use reception_lab::{Etcd, Flow, Proxy, Way, eventually};
use support::{Follower, SOON, dial, direct, instance, listed};
use tokio::time::Instant;

async fn leases(store: &Direct) -> Vec<i64> {
    store.lease_client().leases().await.unwrap().leases().iter().map(etcd_client::LeaseStatus::id).collect()
}

async fn keys(store: &Direct, prefix: &str) -> Vec<String> {
    let options = GetOptions::new().with_prefix().with_keys_only();
    let read = store.kv_client().get(prefix, Some(options)).await.unwrap();
    read.kvs().iter().map(|kv| kv.key_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn six_hundred_registrations_share_three_leases_and_end_with_them() {
    let etcd = Etcd::start().await.unwrap();
    let proxy = Proxy::start(etcd.endpoint()).await.unwrap();
    let store = direct(&etcd).await;
    let client = dial(proxy.endpoint(), "ttl=20s").await;
    let before = proxy.counts();
    let guards: Vec<_> = stream::iter(0..600)
        .map(|number| client.register(instance(&format!("i{number}"))))
        .buffer_unordered(64)
        .try_collect()
        .await
        .unwrap();
    let cost = proxy.counts().since(&before);
    assert!(cost.requests <= 600 + 3 + 1 + 3, "{} requests for 600 registrations", cost.requests);
    assert_eq!(leases(&store).await.len(), 3);
    let before = proxy.counts();
    client.close().await.unwrap();
    let cost = proxy.counts().since(&before);
    assert!(cost.requests <= 3 + 3, "{} requests to withdraw 600 registrations", cost.requests);
    assert_eq!(keys(&store, "test/").await, Vec::<String>::new());
    assert_eq!(leases(&store).await, Vec::<i64>::new());
    drop(guards);
}

#[tokio::test]
async fn a_lease_without_registrations_is_given_back() {
    let etcd = Etcd::start().await.unwrap();
    let store = direct(&etcd).await;
    let client = dial(etcd.endpoint(), "ttl=2s").await;
    let registration = client.register(instance("one")).await.unwrap();
    registration.close().await.unwrap();
    eventually(SOON, || async {
        let left = leases(&store).await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    listed(&client, &["one"]).await;
    registration.close().await.unwrap();
}

#[tokio::test]
async fn revoked_leases_are_noticed_long_before_their_renewal() {
    let etcd = Etcd::start().await.unwrap();
    let store = direct(&etcd).await;
    let client = dial(etcd.endpoint(), "ttl=30s").await;
    let registration = client.register(instance("one")).await.unwrap();
    let elector = client.elector(&ElectionName::new("reaper").unwrap()).await.unwrap();
    let leadership = elector.elect(instance("one")).await.unwrap();
    let mut follower = Follower::of(&client).await;
    follower.shows(&["one"]).await;
    let lost = leadership.lost();
    let begun = Instant::now();
    for lease in leases(&store).await {
        store.lease_client().revoke(lease).await.unwrap();
    }
    let cause = tokio::time::timeout(Duration::from_secs(1), lost).await.unwrap();
    assert_eq!(cause.kind(), ErrorKind::LeaseLost);
    assert!(!leadership.is_held());
    follower.shows(&[]).await;
    follower.shows(&["one"]).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "repaired after {:?}", begun.elapsed());
    assert_eq!(follower.removals, 1);
    let active =
        || async { matches!(registration.state(), RegistrationState::Active).then_some(()).ok_or(()) };
    eventually(SOON, active).await.unwrap();
    let again = elector.elect(instance("two")).await.unwrap();
    assert!(again.token() > leadership.token());
}

#[tokio::test]
async fn a_key_that_somebody_deletes_is_noticed_at_once() {
    let etcd = Etcd::start().await.unwrap();
    let mut store = direct(&etcd).await;
    let client = dial(etcd.endpoint(), "ttl=30s").await;
    let elector = client.elector(&ElectionName::new("reaper").unwrap()).await.unwrap();
    let leadership = elector.elect(instance("one")).await.unwrap();
    let key = keys(&store, "test/elections/reaper/").await.remove(0);
    store.delete(key, None).await.unwrap();
    let cause = tokio::time::timeout(Duration::from_secs(1), leadership.lost()).await.unwrap();
    assert_eq!(cause.kind(), ErrorKind::LeaseLost);
    eventually(SOON, || async {
        let left = leases(&store).await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_lost_answer_leaves_one_record_and_a_close_leaves_none() {
    let etcd = Etcd::start().await.unwrap();
    let proxy = Proxy::start(etcd.endpoint()).await.unwrap();
    let store = direct(&etcd).await;
    for needle in ["services/api/one", "elections/reaper/"] {
        let client = dial(proxy.endpoint(), "ttl=4s&timeout=2s").await;
        // The lease first, so that it is the put whose answer is lost.
        client.register(instance("zero")).await.unwrap().close().await.unwrap();
        proxy.cut_before_reply(needle);
        let registration = client.register(instance("one")).await.unwrap();
        let elector = client.elector(&ElectionName::new("reaper").unwrap()).await.unwrap();
        let leadership = tokio::time::timeout(SOON, elector.elect(instance("one"))).await.unwrap().unwrap();
        assert_eq!(keys(&store, "test/services/").await, ["test/services/api/one"]);
        assert_eq!(keys(&store, "test/elections/").await.len(), 1);
        registration.close().await.unwrap();
        leadership.resign().await.unwrap();
        assert_eq!(keys(&store, "test/services/").await, Vec::<String>::new());
        assert_eq!(keys(&store, "test/elections/").await, Vec::<String>::new());
        client.close().await.unwrap();
        assert_eq!(keys(&store, "test/").await, ["test/domain"]);
        assert_eq!(leases(&store).await, Vec::<i64>::new());
    }
    assert_eq!(proxy.counts().replies_cut, 2);
}

#[tokio::test]
async fn grants_whose_answers_were_lost_are_not_left_by_a_close() {
    let etcd = Etcd::start().await.unwrap();
    let proxy = Proxy::start(etcd.endpoint()).await.unwrap();
    let store = direct(&etcd).await;
    let client = dial(proxy.endpoint(), "ttl=60s&timeout=1s").await;
    client.list(&support::api()).await.unwrap();
    proxy.set(Way::ToClient, Flow::Swallow);
    assert!(client.register(instance("one")).await.is_err());
    eventually(SOON, || async { (!leases(&store).await.is_empty()).then_some(()).ok_or(()) }).await.unwrap();
    // Long enough for the grant to be given up and asked for again.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        let left = leases(&store).await;
        assert!(left.len() <= 1, "one lease is wanted: {left:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    proxy.heal().await.unwrap();
    let again = || async { client.register(instance("two")).await.map_err(|error| error.to_string()) };
    let registration = eventually(SOON, again).await.unwrap();
    assert_eq!(leases(&store).await.len(), 1);
    client.close().await.unwrap();
    assert_eq!(leases(&store).await, Vec::<i64>::new());
    drop(registration);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn candidacies_dropped_at_any_time_leave_no_lease() {
    let etcd = Etcd::start().await.unwrap();
    let store = direct(&etcd).await;
    let lane = async |lane: u64| {
        let client = dial(etcd.endpoint(), "ttl=60s").await;
        let elector = client.elector(&ElectionName::new(&format!("reaper{lane}")).unwrap()).await.unwrap();
        for round in 0..50 {
            let pause = Duration::from_millis((round * 7 + lane * 3) % 26);
            drop(tokio::time::timeout(pause, elector.elect(instance("one"))).await);
        }
        client.close().await.unwrap();
    };
    tokio::join!(lane(0), lane(1), lane(2), lane(3));
    assert_eq!(leases(&store).await, Vec::<i64>::new());
}

#[tokio::test]
async fn a_put_that_may_still_land_is_fenced_off_before_the_close_is_ok() {
    let etcd = Etcd::start().await.unwrap();
    let (one, two) =
        (Proxy::start(etcd.endpoint()).await.unwrap(), Proxy::start(etcd.endpoint()).await.unwrap());
    let store = direct(&etcd).await;
    let client = dial(format!("{},{}", one.endpoint(), two.endpoint()), "ttl=6s&timeout=2s").await;
    client.register(instance("zero")).await.unwrap().close().await.unwrap();
    one.set_both(Flow::Stall);
    let registration = client.register(instance("one")).await.unwrap();
    assert_eq!(keys(&store, "test/gone/").await.len(), 0);
    registration.close().await.unwrap();
    assert_eq!(keys(&store, "test/gone/").await.len(), 1);
    one.heal().await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        assert_eq!(keys(&store, "test/services/").await, Vec::<String>::new());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.close().await.unwrap();
    assert_eq!(keys(&store, "test/").await, Vec::<String>::new());
}

#[tokio::test]
async fn another_program_that_leads_is_seen_and_waited_for() {
    let etcd = Etcd::start().await.unwrap();
    let mut store = direct(&etcd).await;
    let lease = store.lease_grant(30, None).await.unwrap().id();
    let key = format!("test/elections/reaper/{lease:x}");
    store.put(key, "somebody", Some(PutOptions::new().with_lease(lease))).await.unwrap();
    let client = dial(etcd.endpoint(), "ttl=4s").await;
    let elector = client.elector(&ElectionName::new("reaper").unwrap()).await.unwrap();
    let leader = elector.leader().await.unwrap().unwrap();
    assert_eq!((leader.value(), leader.service()), (b"somebody".as_slice(), None));
    assert_eq!(leader.token().domain(), [0; 16]);
    let electing = elector.elect(instance("one"));
    let revoking = async {
        eventually(SOON, || async {
            let standing = elector.candidates().await.unwrap().len();
            if standing == 2 { Ok(()) } else { Err(standing) }
        })
        .await
        .unwrap();
        store.lease_revoke(lease).await.unwrap();
    };
    let (leadership, ()) = tokio::join!(electing, revoking);
    let leadership = leadership.unwrap();
    assert_eq!(elector.leader().await.unwrap().unwrap().service(), Some(&instance("one")));
    assert_ne!(leadership.token().domain(), [0; 16]);
}

#[tokio::test]
async fn a_renewal_that_is_overdue_is_doubtful_before_every_silent_endpoint_was_asked() {
    const TTL: Duration = Duration::from_secs(6);
    let etcd = Etcd::start().await.unwrap();
    let mut proxies = Vec::new();
    for _ in 0..3 {
        proxies.push(Proxy::start(etcd.endpoint()).await.unwrap());
    }
    let addresses = proxies.iter().map(|proxy| proxy.endpoint().to_string()).collect::<Vec<_>>().join(",");
    let client = dial(addresses, "ttl=6s&timeout=6s").await;
    let begun = Instant::now();
    let registration = client.register(instance("one")).await.unwrap();
    for proxy in &proxies {
        proxy.set_both(Flow::Swallow);
    }
    let doubtful =
        || async { matches!(registration.state(), RegistrationState::Doubtful(_)).then_some(()).ok_or(()) };
    eventually(SOON, doubtful).await.unwrap();
    // A third of the lease until it is due, another until it is overdue. Asking all of them in turn takes until a second later.
    let after = begun.elapsed();
    assert!(after < TTL / 3 * 2 + Duration::from_millis(400), "doubtful after {after:?}");
    for proxy in &proxies {
        proxy.heal().await.unwrap();
    }
    let active =
        || async { matches!(registration.state(), RegistrationState::Active).then_some(()).ok_or(()) };
    eventually(SOON, active).await.unwrap();
    registration.close().await.unwrap();
}

#[tokio::test]
async fn after_an_outage_a_registration_is_active_when_the_store_shows_it() {
    let etcd = Etcd::start().await.unwrap();
    let mut store = direct(&etcd).await;
    let proxy = Proxy::start(etcd.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "ttl=3s&timeout=3s").await;
    let registration = client.register(instance("one")).await.unwrap();
    for round in 0..4 {
        let mut states = registration.changes();
        proxy.set_both(Flow::Stall);
        let doubtful =
            async { while !matches!(states.next().await.unwrap(), RegistrationState::Doubtful(_)) {} };
        tokio::time::timeout(SOON, doubtful).await.expect("it is in doubt");
        store.delete("test/services/api/one", None).await.unwrap();
        proxy.set_both(Flow::Pass);
        let active = async { while !matches!(states.next().await.unwrap(), RegistrationState::Active) {} };
        tokio::time::timeout(SOON, active).await.expect("it is active again");
        let shown = keys(&store, "test/services/api/one").await;
        assert_eq!(shown.len(), 1, "active without a record in round {round}");
    }
    registration.close().await.unwrap();
}
