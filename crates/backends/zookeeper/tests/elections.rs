//! Elections beyond the laws: what the server grants, and what an ended session leaves.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, Dialer, ElectionName, Service};
use reception_lab::{Flow, Proxy, Way, ZooKeeper, ZooKeeperSession, eventually};
use zookeeper_client as zk;

const SOON: Duration = Duration::from_secs(20);
const FOLDER: &str = "/prod-elections/reaper";

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_whose_look_is_not_answered_stands_on_the_same_node() {
    const SLOW: Duration = Duration::from_millis(300);
    let zookeeper = ZooKeeper::start().await.unwrap();
    let proxy = Proxy::start(zookeeper.endpoint()).await.unwrap();
    let direct = zk::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let open = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    direct.mkdir(FOLDER, &open).await.unwrap();
    // Two of another program are before ours; when the second leaves, the first is looked at.
    let others = zk::CreateMode::EphemeralSequential.with_acls(zk::Acls::anyone_all());
    let mut before = Vec::new();
    for _ in 0..2 {
        let (_, number) = direct.create(&format!("{FOLDER}/latch-"), b"other", &others).await.unwrap();
        before.push(format!("{FOLDER}/latch-{number}"));
    }
    let url = format!("zk://{}/prod?ttl=20s&timeout=1500ms", proxy.endpoint());
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    let elector = client.elector(&reaper()).await.unwrap();
    let stage = async {
        let looks = || async {
            let watched = zookeeper.word("wchp").await.map_err(|error| error.to_string())?;
            if watched.contains(&before[1]) { Ok(()) } else { Err(watched) }
        };
        eventually(SOON, looks).await.unwrap();
        proxy.set(Way::ToServer, Flow::Delay { base: SLOW, jitter: Duration::ZERO });
        direct.delete(&before[1], None).await.unwrap();
        // The names are asked for and come; then the look is sent, and its answer does not come in time.
        tokio::time::sleep(SLOW * 3 / 2).await;
        proxy.set(Way::ToClient, Flow::Stall);
        tokio::time::sleep(SLOW * 6).await;
        proxy.heal().await.unwrap();
        direct.delete(&before[0], None).await.unwrap();
        std::future::pending::<()>().await;
    };
    let elected = tokio::time::timeout(SOON, elector.elect(candidate("two")));
    let leadership = tokio::select! {
        elected = elected => elected,
        () = stage => unreachable!(),
    };
    let left = direct.list_children(FOLDER).await.unwrap();
    let leadership = leadership.unwrap_or_else(|_| panic!("nobody leads of {left:?}")).unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    leadership.resign().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_node_was_written_to_knows_of_its_removal_at_once() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let direct = zk::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let client = dial(zookeeper.endpoint(), "40s").await;
    assert!(client.probe().await.unwrap().lease.unwrap() > Duration::from_secs(8));
    let elector = client.elector(&reaper()).await.unwrap();
    let leadership = elector.elect(candidate("one")).await.unwrap();
    let child = direct.list_children(FOLDER).await.unwrap().remove(0);
    let node = format!("{FOLDER}/{child}");
    for _ in 0..3 {
        direct.set_data(&node, b"other", None).await.unwrap();
    }
    // Told without the next read, which would be seconds away.
    let begun = tokio::time::Instant::now();
    direct.delete(&node, None).await.unwrap();
    tokio::time::timeout(SOON, leadership.tenure().lost()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    client.close().await.unwrap();
}
