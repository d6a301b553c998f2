//! Several endpoints, dead ones, frozen ones, wrong ones, and a client that exists already.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests panic")]

#[expect(dead_code, reason = "each test program uses its part")]
mod support;

use std::{future::poll_fn, task::Poll, time::Duration};

use etcd_client::{Client as Direct, ConnectOptions};
use reception_core::{ClientExt, ElectionName, ErrorKind};
use reception_etcd::Options;
use reception_lab::{Etcd, Flow, Proxy, eventually, free_port};
use support::{Follower, SOON, dial, dial_url, instance, listed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

#[tokio::test]
async fn a_dead_endpoint_fails_no_call() {
    let etcd = Etcd::start().await.unwrap();
    let dead = free_port().unwrap();
    let address = format!("{},{}", dead.address(), etcd.endpoint());
    let client = dial(address, "ttl=4s&timeout=2s").await;
    let registration = client.register(instance("one")).await.unwrap();
    for _ in 0..50 {
        client.list(&support::api()).await.unwrap();
    }
    let mut follower = Follower::of(&client).await;
    follower.shows(&["one"]).await;
    let probe = client.probe().await.unwrap();
    assert!(probe.endpoints[0].outcome.is_err() && probe.endpoints[1].outcome.is_ok(), "{probe:?}");
    drop(registration);
}

#[tokio::test]
async fn a_frozen_endpoint_costs_its_share_of_the_time_once() {
    let etcd = Etcd::start().await.unwrap();
    let (one, two) =
        (Proxy::start(etcd.endpoint()).await.unwrap(), Proxy::start(etcd.endpoint()).await.unwrap());
    let client = dial(format!("{},{}", one.endpoint(), two.endpoint()), "ttl=4s&timeout=2s").await;
    let registration = client.register(instance("one")).await.unwrap();
    let elector = client.elector(&ElectionName::new("reaper").unwrap()).await.unwrap();
    let leadership = elector.elect(instance("one")).await.unwrap();
    let mut follower = Follower::of(&client).await;
    follower.shows(&["one"]).await;
    one.set_both(Flow::Swallow);
    let begun = Instant::now();
    client.list(&support::api()).await.unwrap();
    let first = begun.elapsed();
    assert!(first < Duration::from_millis(1800), "the first call took {first:?}");
    for _ in 0..20 {
        client.list(&support::api()).await.unwrap();
    }
    assert!(begun.elapsed() < first + Duration::from_secs(1), "all calls took {:?}", begun.elapsed());
    // Longer than the lease: its renewals went the other way.
    while begun.elapsed() < Duration::from_secs(6) {
        assert!(leadership.is_held(), "lost after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let two = client.register(instance("two")).await.unwrap();
    follower.shows(&["one", "two"]).await;
    assert_eq!(follower.removals, 0);
    drop((registration, two));
    leadership.resign().await.unwrap();
}

#[tokio::test]
async fn who_cannot_be_reached_is_named_within_the_timeout() {
    let dead = free_port().unwrap();
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (address, named) in [
        (dead.address().to_string(), dead.address().to_string()),
        (hole.local_addr().unwrap().to_string(), hole.local_addr().unwrap().to_string()),
        ("no-such-host.invalid:1".to_owned(), "no-such-host.invalid:1".to_owned()),
    ] {
        let begun = Instant::now();
        let client = dial(&address, "timeout=1s").await;
        assert!(begun.elapsed() < Duration::from_millis(500), "dial waited {:?}", begun.elapsed());
        let begun = Instant::now();
        for (call, error) in [
            ("list", client.list(&support::api()).await.unwrap_err()),
            ("register", client.register(instance("one")).await.unwrap_err()),
            ("probe", client.probe().await.unwrap_err()),
        ] {
            let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout];
            assert!(kinds.contains(&error.kind()), "{call}: {error}");
            assert!(error.to_string().contains(&named), "{call}: {error}");
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "three calls took {:?}", begun.elapsed());
        let mut follower = Follower::of(&client).await;
        follower.stale().await;
        tokio::time::timeout(SOON, client.close()).await.unwrap().unwrap_err();
    }
}

/// A server that says something else to everyone.
async fn says(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    #[expect(clippy::disallowed_methods, reason = "a server of the test's own")]
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut some = [0; 64];
            drop(socket.read(&mut some).await);
            drop(socket.write_all(text.as_bytes()).await);
        }
    });
    address
}

#[tokio::test]
async fn another_protocol_is_told_and_does_not_hang() {
    for text in ["HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", "220 mail.example ESMTP\r\n", ""] {
        let client = dial(says(text).await, "timeout=1s").await;
        let error = client.list(&support::api()).await.unwrap_err();
        let kinds = [ErrorKind::Protocol, ErrorKind::Unavailable];
        assert!(kinds.contains(&error.kind()), "{text:?}: {error}");
    }
}

#[tokio::test]
async fn an_existing_client_is_used_as_it_is() {
    let etcd = Etcd::start().await.unwrap();
    let how = ConnectOptions::new().with_require_leader(true);
    let made = Direct::connect([etcd.endpoint().to_string()], Some(how)).await.unwrap();
    let options = Options::new(Vec::<String>::new())
        .client(made.clone())
        .namespace("test")
        .ttl(Duration::from_secs(4))
        .timeout(Duration::from_secs(2));
    let client = reception_etcd::dial(options).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    let other = dial(etcd.endpoint(), "").await;
    listed(&other, &["one"]).await;
    drop(registration);
    client.close().await.unwrap();
    listed(&other, &[]).await;
    made.kv_client().get("still usable", None).await.unwrap();
}

#[tokio::test]
async fn an_idle_client_keeps_its_connection_and_asks_little() {
    let etcd = Etcd::start().await.unwrap();
    let proxy = Proxy::start(etcd.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "ttl=10s").await;
    let mut guards = Vec::new();
    for number in 0..20 {
        guards.push(client.register(instance(&format!("i{number}"))).await.unwrap());
    }
    let mut follower = Follower::of(&client).await;
    follower.until("all", |view| view.len() == 20).await;
    let before = proxy.counts();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let cost = proxy.counts().since(&before);
    // A renewal each third of the time to live, and pings.
    assert!(cost.requests <= 7, "{} requests in 20 s", cost.requests);
    assert_eq!(cost.connections, 0, "it connected again");
    drop(guards);
}

#[tokio::test]
async fn calls_under_way_end_with_the_client() {
    let etcd = Etcd::start().await.unwrap();
    let proxy = Proxy::start(etcd.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "timeout=60s").await;
    listed(&client, &[]).await;
    proxy.set_both(Flow::Stall);
    let api = support::api();
    let (mut list, mut probe) = (Box::pin(client.list(&api)), client.probe());
    // Both are asked once, so that they are under way.
    let begun = poll_fn(|cx| {
        Poll::Ready(list.as_mut().poll(cx).is_pending() && probe.as_mut().poll(cx).is_pending())
    });
    assert!(begun.await);
    tokio::time::timeout(SOON, client.close()).await.unwrap().unwrap();
    let listed = tokio::time::timeout(SOON, list).await.unwrap();
    assert_eq!(listed.unwrap_err().kind(), ErrorKind::Closed);
    let probed = tokio::time::timeout(SOON, probe).await.unwrap();
    assert_eq!(probed.unwrap_err().kind(), ErrorKind::Closed);
    // The end of the connection goes through the proxy too.
    proxy.heal().await.unwrap();
    let gone = || async {
        let open = proxy.counts().open_connections;
        if open == 0 { Ok(()) } else { Err(format!("{open} connections")) }
    };
    eventually(SOON, gone).await.unwrap();
}

#[tokio::test]
async fn options_that_cannot_be_are_refused_before_any_call() {
    for (url, why) in [
        ("etcd:", "no host"),
        ("etcd://h1/a%20b", "namespace"),
        ("etcd://h1/a/../b", "namespace"),
        ("etcd://h1/?ttl=500ms", "\"ttl\""),
        ("etcd://h1/?ttl=0s", "\"ttl\""),
        ("etcd://h1/?timeout=1ms", "\"timeout\""),
        ("etcd://h1/?timout=5s", "did you mean \"timeout\"?"),
    ] {
        let error = dial_url(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
        assert!(error.to_string().contains(why), "{url}: {error}");
    }
    for host in ["http://h1", "", "user:pass@h1", "h1/path"] {
        let error = reception_etcd::dial(Options::new([host])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{host}: {error}");
        assert!(!error.to_string().contains("pass"), "{error}");
    }
    let error = reception_etcd::dial(Options::new(["h1"]).timeout(Duration::MAX)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}
