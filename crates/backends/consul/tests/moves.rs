//! Two agents that go away in turns, before candidates that wait for long.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::select_all};
use reception_core::{Client, ClientExt, Dialer, Elector, Leadership, Service};
use reception_lab::{Consul, ConsulOptions};
use serde_json::Value;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);
/// Longer than agents may be away until everything moves.
const AWAY: Duration = Duration::from_secs(4);
const MOVES: usize = 3;
/// Most of them wait all the while, and any of them may be next.
const CANDIDATES: usize = 8;

async fn dial(agents: &[&Consul]) -> Arc<dyn Client> {
    let hosts: Vec<String> = agents.iter().map(|agent| agent.endpoint().to_string()).collect();
    let url = format!("consul://{}/prod?timeout=1s&ttl=1s&election_ttl=1s", hosts.join(","));
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

async fn read(consul: &Consul, path: &str) -> Value {
    serde_json::from_str(&consul.api().get(path).await.unwrap().body).unwrap_or(Value::Null)
}

/// At which node the session of the leader is.
async fn node_of_leader(server: &Consul) -> Value {
    let lock = read(server, "/v1/kv/prod/reaper/.lock").await;
    let session = lock[0]["Session"].as_str().unwrap_or_default().to_owned();
    read(server, &format!("/v1/session/info/{session}")).await[0]["Node"].clone()
}

/// Leads as often as it can, and tells of each time.
async fn stand(elector: Box<dyn Elector>, id: usize) -> (Box<dyn Elector>, usize, Leadership) {
    let candidate = Service::builder("api", "10.0.0.7", 8080).id(&format!("c{id}")).build().unwrap();
    let leadership = elector.elect(candidate).await.unwrap();
    (elector, id, leadership)
}

/// A session that was made at one agent does not live by what is passed at the other: else its leader would lose when the dead one comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_elected_has_its_session_at_the_agent_that_lives() {
    let server = Consul::start_with(ConsulOptions::default().durable(true).node("server")).await.unwrap();
    let agent = |node| ConsulOptions::default().durable(true).node(node).agent_of(server.gossip());
    let agents =
        [Consul::start_with(agent("x")).await.unwrap(), Consul::start_with(agent("y")).await.unwrap()];
    let mut clients = Vec::new();
    let mut waiting = Vec::new();
    for id in 0..CANDIDATES {
        let client = dial(&[&agents[0], &agents[1]]).await;
        waiting.push(stand(client.elector(&"reaper".parse().unwrap()).await.unwrap(), id).boxed());
        clients.push(client);
    }
    let (won, _, others) = timeout(SOON, select_all(waiting)).await.unwrap();
    let (mut waiting, mut leader) = (others, won);
    for number in 0..MOVES {
        let (dying, living) = (&agents[number % 2], ["y", "x"][number % 2]);
        dying.kill();
        let (elector, id, leadership) = leader;
        timeout(SOON, leadership.lost()).await.unwrap();
        waiting.push(stand(elector, id).boxed());
        let (won, _, others) = timeout(SOON, select_all(waiting)).await.unwrap();
        (waiting, leader) = (others, won);
        assert_eq!(node_of_leader(&server).await, living, "move {number}");
        tokio::time::sleep(AWAY).await;
        dying.restart().await.unwrap();
        // Nor is it lost when the dead one is back.
        let lost = timeout(Duration::from_secs(2), leader.2.lost()).await;
        assert!(lost.is_err(), "move {number}: {lost:?}");
    }
    drop((waiting, leader));
    for client in clients {
        client.close().await.unwrap();
    }
}
