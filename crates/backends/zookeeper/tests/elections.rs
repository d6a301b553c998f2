//! Elections beyond the laws: what the server grants, and what an ended session leaves.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, Dialer, ElectionName, Service};
use reception_lab::{Proxy, ZooKeeper, ZooKeeperSession, eventually};

const SOON: Duration = Duration::from_secs(20);

fn reaper() -> ElectionName {
    ElectionName::new("reaper").unwrap()
}

fn candidate(id: &str) -> Service {
    Service::builder("reaper", "10.0.0.7", 8080).id(id).build().unwrap()
}

async fn dial(endpoint: SocketAddr, ttl: &str) -> Arc<dyn Client> {
    let url = format!("zk://{endpoint}/prod?ttl={ttl}&timeout=4s");
    Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_leads_when_the_server_grants_far_less_than_asked_for() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let client = dial(zookeeper.endpoint(), "2h").await;
    let granted = client.probe().await.unwrap().lease.unwrap();
    let elector = client.elector(&reaper()).await.unwrap();
    let elected = tokio::time::timeout(SOON, elector.elect(candidate("one"))).await;
    let leadership = elected.unwrap_or_else(|_| panic!("nobody leads on a session of {granted:?}")).unwrap();
    let left = leadership.tenure().remaining();
    assert!(left > granted / 2 && left <= granted, "{left:?} of {granted:?}");
    leadership.resign().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_stands_once_when_its_session_is_replaced() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let proxy = Proxy::start(zookeeper.endpoint()).await.unwrap();
    let (first, second) = (dial(zookeeper.endpoint(), "5s").await, dial(proxy.endpoint(), "5s").await);
    let leads = first.elector(&reaper()).await.unwrap();
    let leadership = leads.elect(candidate("one")).await.unwrap();
    let waits = second.elector(&reaper()).await.unwrap();
    let standing = async {
        let seen = |count: usize| {
            let leads = &leads;
            move || async move {
                let found = leads.candidates().await.map_err(|error| error.to_string())?;
                if found.len() == count { Ok(()) } else { Err(format!("{found:?}")) }
            }
        };
        eventually(SOON, seen(2)).await.unwrap();
        let session = ZooKeeperSession::read(&proxy.openings()[0]).unwrap();
        session.end(zookeeper.endpoint()).await.unwrap();
        eventually(SOON, seen(2)).await.unwrap();
    };
    tokio::select! {
        elected = waits.elect(candidate("two")) => panic!("{elected:?}"),
        () = standing => {}
    }
    leadership.resign().await.unwrap();
    first.close().await.unwrap();
    second.close().await.unwrap();
}
