//! Several agents in one URL: who has what is registered, and what happens when that one is gone.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use reception_core::{
    Change, Client, ClientExt, Dialer, ErrorKind, ListOptions, RegistrationState, Service, ServiceName,
    Snapshot, Watcher,
};
use reception_lab::{Consul, ConsulOptions, Proxy, eventually};
use serde_json::Value;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(30);
/// What README.md states as the bound of a move, beyond `ttl`.
const MOVE: Duration = Duration::from_secs(5);

/// A server and an agent of its cluster, which notice each other's end in a second or two.
async fn two() -> (Consul, Consul) {
    const FAST: &str = r#"gossip_lan { gossip_interval = "100ms" probe_interval = "100ms" probe_timeout = "100ms" suspicion_mult = 3 }"#;
    let server = Consul::start_with(ConsulOptions::default().node("server").fragment(FAST)).await.unwrap();
    let options = ConsulOptions::default().node("agent").agent_of(server.gossip()).fragment(FAST);
    (Consul::start_with(options).await.unwrap(), server)
}

async fn dial(agents: &[&Consul], options: &str) -> Arc<dyn Client> {
    let hosts: Vec<String> = agents.iter().map(|agent| agent.endpoint().to_string()).collect();
    let url = format!("consul://{}/prod?timeout=2s{options}", hosts.join(","));
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

/// Everything that the catalog has of the service: node, id, and whether all of its checks pass.
async fn catalog(server: &Consul) -> Vec<(String, String, bool)> {
    let told = server.api().get("/v1/health/service/prod-api").await.unwrap().body;
    let rows: Vec<Value> = serde_json::from_str(&told).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            let passes = row["Checks"].as_array().unwrap().iter().all(|check| check["Status"] == "passing");
            (text(&row["Node"]["Node"]), text(&row["Service"]["ID"]), passes)
        })
        .collect()
}

async fn shows(client: &Arc<dyn Client>, wanted: &[&str]) {
    eventually(SOON, || async {
        let view = client.list_with(&api(), ListOptions::default().any_status(true)).await;
        let view = view.map_err(|error| error.to_string())?;
        let ids: Vec<&str> = view.iter().map(|service| service.id().as_str()).collect();
        if ids == wanted { Ok(()) } else { Err(format!("{ids:?}")) }
    })
    .await
    .unwrap();
}

async fn next(watcher: &mut Box<dyn Watcher>) -> Change {
    tokio::time::timeout(SOON, watcher.next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_stay_with_their_agent_and_move_when_it_is_gone() {
    let (agent, server) = two().await;
    let ttl = Duration::from_secs(3);
    let client = dial(&[&agent, &server], "&ttl=3s&election_ttl=2s").await;
    let one = client.register(instance("one")).await.unwrap();
    let two = client.register(instance("two")).await.unwrap();
    let mut watcher = client.watch(&api()).await.unwrap();
    assert!(matches!(next(&mut watcher).await, Change::Reset(view) if view.len() == 2));
    let at = |node: &'static str| {
        ["one", "two"].map(|id| (node.to_owned(), format!("prod-api:{id}"), true)).to_vec()
    };
    assert_eq!(catalog(&server).await, at("agent"));

    agent.kill();
    let gone = Instant::now();
    // Reads go on by the other agent at once.
    client.list(&api()).await.unwrap();
    assert!(gone.elapsed() < Duration::from_secs(2), "a read took {:?}", gone.elapsed());
    let mut moved = None;
    while moved.is_none() {
        if catalog(&server).await == at("server") {
            moved = Some(gone.elapsed());
        }
        let late = gone.elapsed() > ttl + MOVE;
        assert!(!late, "{:?}, {:?} {:?}", catalog(&server).await, one.state(), two.state());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(moved.unwrap() >= ttl / 2, "moved while its check had not lapsed: {moved:?}");
    eventually(SOON, || async {
        let states = [one.state(), two.state()];
        let well = states.iter().all(|state| matches!(state, RegistrationState::Active));
        if well { Ok(()) } else { Err(format!("{states:?}")) }
    })
    .await
    .unwrap();
    let view: Snapshot = client.list(&api()).await.unwrap();
    assert_eq!(view.len(), 2);
    assert!(view.iter().all(|service| !service.id().as_str().contains('@')), "{view:?}");

    // The old one comes back with its data: what it had is taken away there, and does not come back here.
    agent.restart().await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        // An alias check that the agent loads before what it stands for passes for a moment.
        let view = client.list(&api()).await.unwrap();
        let ids: Vec<_> = view.iter().map(|service| service.id().as_str()).collect();
        assert_eq!(ids, ["one", "two"], "one of each at every moment");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eventually(SOON, || async {
        let all = agent.api().get("/v1/agent/services").await.map_err(|error| error.to_string())?.body;
        if all.trim() == "{}" { Ok(()) } else { Err(all) }
    })
    .await
    .unwrap();
    eventually(SOON, || async {
        let all = catalog(&server).await;
        if all == at("server") { Ok(()) } else { Err(format!("{all:?}")) }
    })
    .await
    .unwrap();
    one.close().await.unwrap();
    two.close().await.unwrap();
    client.close().await.unwrap();
    assert!(catalog(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_default_ttl_a_single_registration_moves_too() {
    let (agent, server) = two().await;
    let client = dial(&[&agent, &server], "").await;
    let one = client.register(instance("one")).await.unwrap();
    agent.kill();
    let gone = Instant::now();
    let moved = || async {
        let all = catalog(&server).await;
        if all == [("server".to_owned(), "prod-api:one".to_owned(), true)] {
            Ok(())
        } else {
            Err(format!("{all:?}"))
        }
    };
    eventually(SOON, moved).await.unwrap();
    assert!(gone.elapsed() < Duration::from_secs(10) + MOVE, "moved after {:?}", gone.elapsed());
    one.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_agent_asks_itself_moves_too() {
    let (agent, server) = two().await;
    let client = dial(&[&agent, &server], "&check=http&interval=1s&ttl=2s").await;
    let one = client.register(instance("one")).await.unwrap();
    agent.kill();
    eventually(SOON, || async {
        let all = catalog(&server).await;
        if all == [("server".to_owned(), "prod-api:one".to_owned(), true)] {
            Ok(())
        } else {
            Err(format!("{all:?}"))
        }
    })
    .await
    .unwrap();
    one.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_agent_that_is_not_there_is_passed_over() {
    let (agent, server) = two().await;
    agent.kill();
    let client = dial(&[&agent, &server], "").await;
    let begun = Instant::now();
    client.list(&api()).await.unwrap();
    let one = client.register(instance("one")).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "took {:?}", begun.elapsed());
    assert_eq!(catalog(&server).await, [("server".to_owned(), "prod-api:one".to_owned(), true)]);
    one.close().await.unwrap();
    client.close().await.unwrap();

    let fresh = dial(&[&agent, &server], "").await;
    let two = fresh.register(instance("two")).await.unwrap();
    two.close().await.unwrap();
    fresh.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_stand_at_the_other_agent_when_theirs_is_gone() {
    let (agent, server) = two().await;
    let client = dial(&[&agent, &server], "&election_ttl=2s").await;
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(instance("one")).await.unwrap();
    let before = leadership.tenure().token();
    agent.kill();
    let gone = Instant::now();
    leadership.tenure().lost().await;
    assert!(gone.elapsed() < Duration::from_secs(3), "lost after {:?}", gone.elapsed());
    let again = tokio::time::timeout(SOON, elector.elect(instance("one"))).await.unwrap().unwrap();
    assert!(again.tenure().token() > before);
    again.resign().await.unwrap();
    client.close().await.unwrap();
}

/// What moves does so after `ttl`, which may be shorter than a term. The session of a leader hangs on the check at the agent that is out of reach, and says
/// nothing of what is passed elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_leader_is_kept_by_the_check_of_another_agent() {
    let (agent, server) = two().await;
    let proxy = Proxy::start(agent.endpoint()).await.unwrap();
    let hosts = format!("{},{}", proxy.endpoint(), server.endpoint());
    let url = format!("consul://{hosts}/prod?ttl=2s&election_ttl=6s&timeout=1s");
    let client = Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap();
    let one = client.register(instance("one")).await.unwrap();
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(instance("one")).await.unwrap();
    let token = leadership.token();
    proxy.cut().await.unwrap();
    let cut = Instant::now();
    let moved = || async {
        let all = catalog(&server).await;
        let there = all.iter().any(|(node, _, passes)| node == "server" && *passes);
        if there { Ok(()) } else { Err(format!("{all:?}")) }
    };
    eventually(SOON, moved).await.unwrap();
    let most = Duration::from_millis(5400);
    while cut.elapsed() < most {
        let (elapsed, remaining) = (cut.elapsed(), leadership.remaining());
        assert!(remaining + elapsed <= most + Duration::from_millis(100), "{remaining:?} after {elapsed:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!leadership.is_held());
    let again = tokio::time::timeout(SOON, elector.elect(instance("one"))).await.unwrap().unwrap();
    assert!(again.token() > token);
    again.resign().await.unwrap();
    proxy.heal().await.unwrap();
    one.close().await.unwrap();
    client.close().await.unwrap();
}

/// Who registers nothing does not know the name of its agent's node by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_only_reads_finds_its_agents_own_by_its_id() {
    let (agent, server) = two().await;
    let (here, there) = (dial(&[&agent], "").await, dial(&[&server], "").await);
    let reader = dial(&[&server], "").await;
    let mut watcher = reader.watch(&api()).await.unwrap();
    assert!(matches!(next(&mut watcher).await, Change::Reset(view) if view.is_empty()));
    let (a, b) =
        (here.register(instance("one")).await.unwrap(), there.register(instance("one")).await.unwrap());
    let named = |view: &Snapshot| view.len() == 2 && view.get("one@agent").is_some();
    let begun = Instant::now();
    while !watcher.current().is_some_and(named) {
        assert!(begun.elapsed() < SOON, "{:?}", watcher.current());
        next(&mut watcher).await;
    }
    let fresh = dial(&[&server], "").await;
    assert!(named(&fresh.list(&api()).await.unwrap()));
    let mut watcher = dial(&[&server], "").await.watch(&api()).await.unwrap();
    assert!(matches!(next(&mut watcher).await, Change::Reset(view) if named(&view)));
    a.close().await.unwrap();
    b.close().await.unwrap();
    for client in [here, there, reader, fresh] {
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_by_the_other_agent() {
    let (agent, server) = two().await;
    let other = dial(&[&server], "").await;
    let client = dial(&[&agent, &server], "").await;
    let mut watcher = client.watch(&api()).await.unwrap();
    assert!(matches!(next(&mut watcher).await, Change::Reset(view) if view.is_empty()));
    // Silent, not gone: nobody says that the connection is broken.
    agent.pause().unwrap();
    let one = other.register(instance("one")).await.unwrap();
    let begun = Instant::now();
    while watcher.current().is_none_or(|view| view.len() != 1) {
        next(&mut watcher).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "seen after {:?}", begun.elapsed());
    // And from then on without any stale times.
    let two = other.register(instance("two")).await.unwrap();
    loop {
        let change = next(&mut watcher).await;
        assert!(!matches!(change, Change::Stale(_)), "{change:?}");
        if watcher.current().is_some_and(|view| view.len() == 2) {
            break;
        }
    }
    agent.resume().unwrap();
    one.close().await.unwrap();
    two.close().await.unwrap();
    other.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_id_on_two_nodes_the_agents_own_keeps_it() {
    let (agent, server) = two().await;
    let (here, there) = (dial(&[&agent], "").await, dial(&[&server], "").await);
    let (a, b) =
        (here.register(instance("one")).await.unwrap(), there.register(instance("one")).await.unwrap());
    shows(&here, &["one", "one@server"]).await;
    shows(&there, &["one", "one@agent"]).await;
    a.close().await.unwrap();
    // The other one is the only one, and has its id.
    shows(&there, &["one"]).await;
    shows(&here, &["one"]).await;
    b.close().await.unwrap();
    here.close().await.unwrap();
    there.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_none_answers_all_are_named() {
    let (agent, server) = two().await;
    let client = dial(&[&agent, &server], "").await;
    agent.kill();
    server.kill();
    let error = client.list(&api()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    for address in [agent.endpoint(), server.endpoint()] {
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_not_tried_tells_why_as_its_own() {
    let (first, second) = (reception_lab::free_port().unwrap(), reception_lab::free_port().unwrap());
    let url = format!("consul://{},{}/prod?timeout=2s", first.address(), second.address());
    let client = Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.list(&api()).await.unwrap_err().operation(), "list");
        assert_eq!(client.names().await.unwrap_err().operation(), "names");
    }
    client.close().await.unwrap();
}
