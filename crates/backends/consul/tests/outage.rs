//! Agents that answer slowly, and agents that answer while their servers do not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fmt::Display, net::SocketAddr, sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, Dialer, ErrorKind, RegistrationState, Service};
use reception_lab::{Consul, ConsulOptions, Flow, Proxy, Way, eventually};
use serde_json::Value;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::Instant,
};

const SOON: Duration = Duration::from_secs(30);

async fn dial(endpoint: impl Display, options: &str) -> Arc<dyn Client> {
    let url = format!("consul://{endpoint}/prod?{options}");
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

async fn read(consul: &Consul, path: &str) -> Value {
    serde_json::from_str(&consul.api().get(path).await.unwrap().body).unwrap_or(Value::Null)
}

/// The ids that pass, for whoever asks.
async fn passing(consul: &Consul) -> Vec<String> {
    let rows = read(consul, "/v1/health/service/prod-api?passing").await;
    let ids = rows.as_array().into_iter().flatten().filter_map(|row| row["Service"]["ID"].as_str());
    ids.map(str::to_owned).collect()
}

/// The second registration of a client moves the check of the first one. It is cut short in the midst of that, since the agent answers slowly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_registration_that_fails_leaves_the_first_one_alive() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "ttl=3s&timeout=2s").await;
    let first = client.register(instance("one")).await.unwrap();
    // A question, the write of what carries the check, its pass, another question: the move is what the time is up in.
    let slow = Duration::from_millis(450);
    proxy.set(Way::ToClient, Flow::Delay { base: slow, jitter: Duration::ZERO });
    let error = client.register(instance("two")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
    proxy.set(Way::ToClient, Flow::Pass);
    let healed = Instant::now();
    while healed.elapsed() < Duration::from_secs(9) {
        let all = passing(&consul).await;
        assert!(all.contains(&"prod-api:one".to_owned()), "{all:?} after {:?}", healed.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let second = client.register(instance("two")).await.unwrap();
    assert_eq!(passing(&consul).await, ["prod-api:one", "prod-api:two"]);
    second.close().await.unwrap();
    first.close().await.unwrap();
    client.close().await.unwrap();
    assert_eq!(read(&consul, "/v1/agent/services").await, serde_json::json!({}));
}

/// As the one before, of an instance that an operator has taken out: that is kept, in two steps, between which the time is up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_registration_that_fails_leaves_one_in_maintenance_as_it_is() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "ttl=3s&timeout=2s").await;
    let first = client.register(instance("one")).await.unwrap();
    let maintenance = "/v1/agent/service/maintenance/prod-api:one?enable=";
    consul.api().put(&format!("{maintenance}true"), "").await.unwrap();
    proxy.set(Way::ToClient, Flow::Delay { base: Duration::from_millis(450), jitter: Duration::ZERO });
    client.register(instance("two")).await.unwrap_err();
    let checks = read(&consul, "/v1/agent/checks").await;
    let of = checks.as_object().unwrap().values().filter(|check| check["ServiceID"] == "prod-api:one");
    assert_eq!(of.count(), 3, "its own, the alias and that of the operator: {checks}");
    proxy.set(Way::ToClient, Flow::Pass);
    // What hangs on it has lapsed by then.
    tokio::time::sleep(Duration::from_secs(5)).await;
    consul.api().put(&format!("{maintenance}false"), "").await.unwrap();
    eventually(SOON, || async {
        let all = passing(&consul).await;
        if all == ["prod-api:one"] { Ok(()) } else { Err(format!("{all:?}")) }
    })
    .await
    .unwrap();
    first.close().await.unwrap();
    client.close().await.unwrap();
}

/// What carries a shared check was written for one that then could not join.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_for_one_that_could_not_join_is_taken_away() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    let client = dial(proxy.endpoint(), "timeout=2s").await;
    let first = client.register(instance("one")).await.unwrap();
    proxy.set(Way::ToClient, Flow::Delay { base: Duration::from_millis(850), jitter: Duration::ZERO });
    client.register(instance("two")).await.unwrap_err();
    proxy.set(Way::ToClient, Flow::Pass);
    first.close().await.unwrap();
    assert_eq!(read(&consul, "/v1/agent/services").await, serde_json::json!({}));
    client.close().await.unwrap();
}

/// A container that is made anew has the address of the one before, and another name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_another_one_by_now_gets_what_was_registered() {
    let first = Consul::start_with(ConsulOptions::default().node("first")).await.unwrap();
    let second = Consul::start_with(ConsulOptions::default().node("second")).await.unwrap();
    let (address, upstream) = switch(first.endpoint()).await;
    let client = dial(address, "ttl=4s&timeout=2s").await;
    let one = client.register(instance("one")).await.unwrap();
    assert_eq!(passing(&first).await, ["prod-api:one"]);
    upstream.send_replace(second.endpoint());
    let begun = Instant::now();
    eventually(SOON, || async {
        let (there, state) = (passing(&second).await, one.state());
        let well = there == ["prod-api:one"] && matches!(state, RegistrationState::Active);
        if well { Ok(()) } else { Err(format!("{there:?} {state:?}")) }
    })
    .await
    .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "after {:?}", begun.elapsed());
    let two = client.register(instance("two")).await.unwrap();
    two.close().await.unwrap();
    one.close().await.unwrap();
    client.close().await.unwrap();
    assert_eq!(read(&second, "/v1/agent/services").await, serde_json::json!({}));
}

/// Passes connections on to an agent that can be another one later: then those that are open end.
async fn switch(agent: SocketAddr) -> (SocketAddr, watch::Sender<SocketAddr>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, (tell, hear)) = (listener.local_addr().unwrap(), watch::channel(agent));
    #[expect(clippy::disallowed_methods, reason = "ends with the runtime of the test")]
    drop(tokio::spawn(async move {
        let mut callers = JoinSet::new();
        while let Ok((mut caller, _)) = listener.accept().await {
            let mut hear = hear.clone();
            callers.spawn(async move {
                let to = *hear.borrow_and_update();
                let Ok(mut upstream) = TcpStream::connect(to).await else { return };
                tokio::select! {
                    _ = copy_bidirectional(&mut caller, &mut upstream) => {}
                    _ = hear.changed() => {}
                }
            });
        }
    }));
    (address, tell)
}

/// An agent says yes to what it is told, and tells the servers later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_servers_are_gone_says_yes_and_that_is_not_enough() {
    let server = Consul::start_with(ConsulOptions::default().node("server")).await.unwrap();
    let agent = ConsulOptions::default().node("agent").agent_of(server.gossip());
    let agent = Consul::start_with(agent).await.unwrap();
    let client = dial(agent.endpoint(), "timeout=2s").await;
    let first = client.register(instance("one")).await.unwrap();
    let in_time = |begun: Instant| assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let unsure =
        |kind: ErrorKind| assert!(matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable), "{kind:?}");

    server.pause().unwrap();
    let begun = Instant::now();
    unsure(client.register(instance("two")).await.unwrap_err().kind());
    in_time(begun);
    let begun = Instant::now();
    unsure(first.close().await.unwrap_err().kind());
    in_time(begun);
    server.resume().unwrap();

    // Both are withdrawn though nobody waits for it any more.
    eventually(SOON, || async {
        let (held, all) =
            (read(&agent, "/v1/agent/services").await, read(&server, "/v1/health/service/prod-api").await);
        if held == serde_json::json!({}) && all == serde_json::json!([]) {
            Ok(())
        } else {
            Err(format!("{held} {all}"))
        }
    })
    .await
    .unwrap();
    let third = client.register(instance("two")).await.unwrap();
    third.close().await.unwrap();
    client.close().await.unwrap();
}

/// The agent alone takes a pass, and what it says of that is no sign that anybody shows the instance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_stays_in_doubt_as_long_as_the_servers_are_away() {
    let server = Consul::start_with(ConsulOptions::default().node("server")).await.unwrap();
    let agent = ConsulOptions::default().node("agent").agent_of(server.gossip());
    let agent = Consul::start_with(agent).await.unwrap();
    let client = dial(agent.endpoint(), "ttl=2s&timeout=1s").await;
    let registration = client.register(instance("one")).await.unwrap();
    server.pause().unwrap();
    let doubtful = || matches!(registration.state(), RegistrationState::Doubtful(_));
    eventually(SOON, || async { if doubtful() { Ok(()) } else { Err(registration.state()) } }).await.unwrap();
    let end = Instant::now() + Duration::from_secs(8);
    while Instant::now() < end {
        assert!(doubtful(), "{:?}", registration.state());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.resume().unwrap();
    eventually(SOON, || async { if doubtful() { Err(registration.state()) } else { Ok(()) } }).await.unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}
