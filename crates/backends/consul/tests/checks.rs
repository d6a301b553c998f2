//! The checks by which an agent sees that an instance lives: what takes one away, and what each kind notices.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use reception_core::{
    Client, ClientExt, Dialer, ErrorKind, ListOptions, RegistrationState, Service, ServiceName, Status,
};
use reception_lab::{Consul, Proxy, eventually};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(20);

async fn dial(agent: impl std::fmt::Display, options: &str) -> Arc<dyn Client> {
    let url = format!("consul://{agent}/prod?timeout=2s{options}");
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

fn instance(id: &str, port: u16) -> Service {
    Service::builder("api", "127.0.0.1", port).id(id).build().unwrap()
}

/// The ids of the checks at the agent, but for that of our own service.
async fn checks(consul: &Consul) -> Vec<String> {
    let told = consul.api().get("/v1/agent/checks").await.unwrap().body;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let ids = told.as_object().unwrap().keys().filter(|id| !id.contains("anchor"));
    ids.cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_somebody_takes_away_is_written_again() {
    let consul = Consul::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let draining =
        Service::builder("api", "127.0.0.1", port).id("one").status(Status::Draining).build().unwrap();
    for (options, instances) in [
        ("", vec![instance("one", port)]),
        ("", vec![instance("one", port), instance("two", port)]),
        ("&check=http&interval=1s", vec![instance("one", port)]),
        ("&check=tcp&interval=1s", vec![instance("one", port)]),
        ("", vec![draining]),
    ] {
        let client = dial(consul.endpoint(), options).await;
        let mut registrations = Vec::new();
        for service in instances.clone() {
            registrations.push(client.register(service).await.unwrap());
        }
        let before = checks(&consul).await;
        assert!(before.len() >= instances.len(), "{options}: {before:?}");
        for id in &before {
            consul.api().put(&format!("/v1/agent/check/deregister/{id}"), "").await.unwrap();
        }
        assert!(checks(&consul).await.len() < before.len());
        eventually(SOON, || async {
            let now = checks(&consul).await;
            if now == before { Ok(()) } else { Err(format!("{options}: {now:?}, not {before:?}")) }
        })
        .await
        .unwrap();
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tcp_an_instance_is_up_while_somebody_listens() {
    let consul = Consul::start().await.unwrap();
    let client = dial(consul.endpoint(), "&check=tcp&interval=1s&check_timeout=500ms").await;
    let portless = Service::builder("api", "127.0.0.1", 0).build_foreign().unwrap();
    assert_eq!(client.register(portless).await.unwrap_err().kind(), ErrorKind::InvalidInstance);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registration = client.register(instance("one", listener.local_addr().unwrap().port())).await.unwrap();
    assert_eq!(client.list(&api()).await.unwrap().len(), 1);
    drop(listener);
    eventually(client.capabilities().crash_bound + SOON, || async {
        let view = client.list(&api()).await.unwrap();
        if view.is_empty() { Ok(()) } else { Err(format!("{view:?}")) }
    })
    .await
    .unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

/// Its agent asks in vain. When it forgets the instance after a minute or two that is written again, and is not up for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_check_was_never_good_is_in_doubt_and_stays_down() {
    let consul = Consul::start().await.unwrap();
    let nobody = reception_lab::free_port().unwrap();
    let options = format!("&check=http&check_host={}&interval=1s&check_timeout=500ms", nobody.address());
    let client = dial(consul.endpoint(), &options).await;
    let registration = client.register(instance("one", 80)).await.unwrap();
    let doubtful = || async {
        match registration.state() {
            RegistrationState::Doubtful(_) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    eventually(SOON, doubtful).await.unwrap();
    consul.api().put("/v1/agent/service/deregister/prod-api:one", "").await.unwrap();
    let mut back = None;
    let end = tokio::time::Instant::now() + SOON;
    while tokio::time::Instant::now() < end {
        assert!(client.list(&api()).await.unwrap().is_empty(), "it is up");
        let any = ListOptions::default().any_status(true);
        if client.list_with(&api(), any).await.unwrap().get("one").is_some() {
            back.get_or_insert_with(tokio::time::Instant::now);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(back.is_some(), "it was not written again");
    doubtful().await.unwrap();
    drop(registration);
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_none_an_instance_outlives_its_process_until_somebody_replaces_it() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    let dead = dial(proxy.endpoint(), "&check=none&ttl=2s").await;
    let left = dead.register(instance("one", 80)).await.unwrap();
    // For the agent it has died.
    proxy.cut().await.unwrap();
    let client = dial(consul.endpoint(), "&check=none&ttl=2s").await;
    assert_eq!(client.list(&api()).await.unwrap().len(), 1);
    // Nobody can tell that it is dead.
    let refused = client.register(instance("one", 81)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    assert_eq!(client.list(&api()).await.unwrap().len(), 1);
    let replacing =
        reception_core::RegisterOptions::default().on_conflict(reception_core::OnConflict::Replace);
    let mine = client.register_with(instance("one", 81), replacing).await.unwrap();
    mine.close().await.unwrap();
    assert!(client.list(&api()).await.unwrap().is_empty());
    client.close().await.unwrap();
    drop(left);
    drop(dead.close().await);
}

/// Consul looks every 30 s for what has been critical for `deregister_after`, a minute at least.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_forgets_what_a_dead_process_had_after_deregister_after() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    let theirs = r#"{"Name":"api","ID":"theirs","Check":{"TTL":"1s","Status":"critical"}}"#;
    consul.api().put("/v1/agent/service/register", theirs).await.unwrap();
    let options = "&ttl=1s&election_ttl=1s&deregister_after=1m";
    let (lone, many) = (dial(proxy.endpoint(), options).await, dial(proxy.endpoint(), options).await);
    let alone = lone.register(instance("alone", 80)).await.unwrap();
    let first = many.register(instance("first", 80)).await.unwrap();
    let second = many.register(instance("second", 80)).await.unwrap();
    let elector = many.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(instance("first", 80)).await.unwrap();
    // Three instances, and what carries the checks of the registrations and of the candidate.
    assert_eq!(services(&consul).await.len(), 6);

    // For the agent they have died.
    proxy.cut().await.unwrap();
    eventually(Duration::from_secs(60 + 30) + SOON, || async {
        let left = services(&consul).await;
        if left == ["theirs"] { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await
    .unwrap();
    assert_eq!(consul.api().get("/v1/session/list").await.unwrap().body.trim(), "[]");
    drop((alone, first, second, leadership));
    proxy.heal().await.unwrap();
    drop((lone.close().await, many.close().await));
}

/// The ids of all that the agent has.
async fn services(consul: &Consul) -> Vec<String> {
    let told = consul.api().get("/v1/agent/services").await.unwrap().body;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    told.as_object().unwrap().keys().cloned().collect()
}
