//! On a real agent: records that are odd or too large, and calls that come twice, too late, or where nothing is.

use std::{sync::Arc, time::Duration};

use reception::{Client, ClientExt as _, ErrorKind, ListOptions, RegistrationState, Service, Status, limits};
use reception_lab::{Consul, Proxy};
use reception_tests::{Follower, api, dial, instance, patiently};
use tokio::time::timeout;

/// B1 to B6, as far as Consul has a say: what cannot be made needs no agent, what can is taken by one and read back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_that_may_be_are_taken_and_others_are_never_made() {
    let server = Consul::start().await.expect("an agent");
    let longest = "n".repeat(limits::MAX_NAME);
    for namespace in ["x.json", "a/b.sh", "/a/", "A_b-c.9"] {
        let client = dial(&format!("consul://{}/{namespace}", server.endpoint())).await;
        for (name, id) in [("a.json", "i.sh"), ("a-b", "a_b.c-d"), (longest.as_str(), "9")] {
            let one = Service::builder(name, "h1.example", 65535).id(id).build().expect("may be");
            let registration = patiently("register", client.register(one.clone())).await.expect(name);
            assert_eq!(client.list(one.name()).await.expect("lists").get(id), Some(&one));
            registration.close().await.expect("closes");
        }
        let elector = client.elector(&"x.json".parse().expect("a name")).await.expect("an elector");
        let leadership = patiently("elect", elector.elect(instance("i"))).await.expect("elected");
        leadership.resign().await.expect("resigns");
        client.close().await.expect("closes");
    }
    for name in ["", "a/b", "..", "../x", "a%2fb", ".hidden", "a b", "a\n", "\u{202e}api", "а\u{301}pi"] {
        let error = Service::builder(name, "10.0.0.7", 80).build().expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidName, "{name:?}: {error}");
    }
    for (address, port) in [("", 80), ("a b", 80), ("me@host", 80), ("10.0.0.7", 0)] {
        let error = Service::builder("api", address, port).build().expect_err(address);
        assert_eq!(error.kind(), ErrorKind::InvalidInstance, "{address:?}: {error}");
    }
}

/// B8: the limit is ours, and what passes the limits of its parts and not that of the whole harms nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_too_large_is_refused_and_harms_nothing() {
    let server = Consul::start().await.expect("an agent");
    for layout in ["native", "reception"] {
        let client = dial(&format!("consul://{}/{layout}?layout={layout}", server.endpoint())).await;
        // Each of these bytes takes six in JSON.
        let noise = "\u{1}".repeat(limits::MAX_VALUE);
        let large = (0..limits::MAX_ATTRIBUTES)
            .fold(instance("large").to_builder(), |builder, at| builder.attribute(&format!("k{at}"), &noise));
        let large = large.build().expect("within the limits of its parts");
        let error =
            patiently("register", client.register(large.clone())).await.map(drop).expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{layout}: {error}");
        let registration =
            patiently("register", client.register(instance("large"))).await.expect("a good one is taken");
        let error = patiently("update", registration.update(large)).await.expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{layout}: {error}");
        assert!(matches!(registration.state(), RegistrationState::Active), "{:?}", registration.state());
        client.close().await.expect("closes");
    }
}

/// B21: what others have registered is shown or counted, hides no good one and ends no watch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_records_are_counted_and_hide_no_good_one() {
    let server = Consul::start().await.expect("an agent");
    let client = dial(&format!("consul://{}/x", server.endpoint())).await;
    let registration = client.register(instance("good")).await.expect("registers");
    let mut follower = Follower::start(&*client, &api()).await;
    for body in [
        r#"{"Name":"x-api","ID":"odd status","Port":80,"Meta":{"reception-status":"asleep"}}"#,
        r#"{"Name":"x-api","ID":"odd port","Port":70000}"#,
        r#"{"Name":"x-api","ID":"a/b?c#d%2F \u00e9","Address":"not a host!","Port":80}"#,
        r#"{"Name":"x-api","ID":"no-port","Tags":["","a,b","reception-attribute:","reception-attribute:k"]}"#,
        r#"{"Name":"x-api","ID":"claims","Port":80,"Meta":{"reception-owner":"canary","reception-namespace":"x"}}"#,
        r#"{"Name":"x-api","ID":"elsewhere","Port":80,"Meta":{"reception-namespace":"y"}}"#,
    ] {
        server.api().put("/v1/agent/service/register", body).await.expect(body);
    }
    follower.until("what can be read", |follower| follower.ids().contains("claims")).await;
    let view = client.list_with(&api(), ListOptions::default().any_status(true)).await.expect("lists");
    let ids: Vec<&str> = view.iter().map(|service| service.id().as_str()).collect();
    assert!(ids.contains(&"good") && ids.contains(&"no-port") && ids.contains(&"claims"), "{ids:?}");
    assert!(!ids.contains(&"elsewhere") && !ids.contains(&"odd status"), "{ids:?}");
    assert_eq!(view.len() + view.unreadable(), 6, "{view:?}");
    assert!(view.unreadable() >= 2, "{view:?}");
    // What is not ours stays when we leave.
    registration.close().await.expect("closes");
    client.close().await.expect("closes");
    let left = server.api().get("/v1/agent/services").await.expect("answers").body;
    assert_eq!(left.matches("\"ID\"").count(), 6, "{left}");
}

/// B23 to B25: twice is no different from once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_twice_or_too_late_is_told() {
    let server = Consul::start().await.expect("an agent");
    let proxy = Proxy::start(server.endpoint()).await.expect("a proxy");
    let client = dial(&format!("consul://{}/x?ttl=3s&election_ttl=3s&timeout=1s", proxy.endpoint())).await;
    let registration = client.register(instance("i")).await.expect("registers");
    let twice = client.register(instance("i")).await.expect_err("twice");
    assert_eq!(twice.kind(), ErrorKind::Conflict, "{twice}");

    let elector = client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
    elector.cancel().await.expect("nothing to cancel");
    let leadership = elector.elect(instance("i")).await.expect("elected");
    assert_eq!(elector.elect(instance("i")).await.expect_err("it stands").kind(), ErrorKind::Conflict);
    drop(timeout(Duration::from_millis(200), elector.elect(instance("j"))).await);
    elector.cancel().await.expect("cancels");
    elector.cancel().await.expect("and again");
    assert!(leadership.is_held());
    leadership.resign().await.expect("resigns");

    proxy.cut().await.expect("a cut");
    let late = patiently("update", registration.update(instance("i"))).await.expect_err("the agent is away");
    assert!(matches!(late.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{late}");
    let ended = timeout(Duration::from_secs(20), client.close()).await.expect("close does not hang");
    assert!(ended.is_err() || matches!(registration.state(), RegistrationState::Ended(_)));
    assert_eq!(registration.update(instance("i")).await.expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(client.list(&api()).await.expect_err("closed").kind(), ErrorKind::Closed);
    let _ = timeout(Duration::from_secs(20), client.close()).await.expect("nor does a second one");
}

/// B26: nothing is there, and nothing is made there by looking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_of_an_unknown_service_is_empty_and_then_live() {
    let server = Consul::start().await.expect("an agent");
    let client = dial(&format!("consul://{}/x", server.endpoint())).await;
    assert!(client.list(&api()).await.expect("lists").is_empty());
    let mut follower = Follower::start(&*client, &api()).await;
    assert!(follower.ids().is_empty());
    let elector = client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
    assert!(elector.leader().await.expect("looks").is_none());
    let keys = server.api().get("/v1/kv/?keys").await.expect("answers");
    assert!(keys.status == 404 || keys.body.trim() == "[]", "nobody asked for a key: {}", keys.body);
    let registration = client.register(instance("i")).await.expect("registers");
    follower.until("the first instance", |follower| follower.ids().contains("i")).await;
    let drains = instance("i").to_builder().status(Status::Draining).build().expect("an instance");
    registration.update(drains).await.expect("updates");
    follower.until("it drains", |follower| follower.ids().is_empty()).await;
    drop(registration);
    client.close().await.expect("closes");
}

/// B27.
#[test]
fn without_a_runtime_every_call_says_so() {
    let error = futures_util::FutureExt::now_or_never(reception::dial("consul://127.0.0.1:1"))
        .expect("answers at once")
        .expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    let home = tokio::runtime::Runtime::new().expect("a runtime");
    let client: Arc<dyn Client> = home.block_on(dial("consul://127.0.0.1:1?timeout=1s"));
    home.shutdown_timeout(Duration::from_secs(5));
    let other = tokio::runtime::Runtime::new().expect("a runtime");
    let error = other.block_on(client.list(&api())).expect_err("its runtime is gone");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    let error = other.block_on(client.register(instance("j"))).expect_err("its runtime is gone");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    let name = "reaper".parse().expect("a name");
    let error = other.block_on(client.elector(&name)).expect_err("its runtime is gone");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}
