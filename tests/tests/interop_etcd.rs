//! `etcdctl elect` and this library contend for one election and see each other's leaders.
#![expect(clippy::expect_used, reason = "a test may panic")]

use futures_util::{StreamExt as _, pin_mut};
use reception::{Client, ClientExt as _, Elector, Observation, Service};
use reception_lab::Etcd;
use reception_tests::{PATIENCE, dial, patiently};
use tokio::time::timeout;

const ELECTION: &str = "interop/elections/reaper";

fn candidate(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().expect("valid")
}

async fn elector(client: &dyn Client) -> Box<dyn Elector> {
    client.elector(&"reaper".parse().expect("a name")).await.expect("an elector")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_of_etcdctl_is_seen_waited_for_and_followed() {
    let server = Etcd::start().await.expect("a server");
    let ctl = server.ctl().expect("etcdctl");
    let mut foreign = ctl.spawn(&["elect", ELECTION, "a foreign value"]).expect("runs");
    let key = foreign.line(PATIENCE).await.expect("etcdctl leads");
    assert!(key.starts_with("interop/elections/reaper/"), "{key}");

    let client = dial(&format!("etcd://{}/interop?ttl=5s", server.endpoint())).await;
    let elector = elector(&*client).await;
    let leader = patiently("leader", elector.leader()).await.expect("answers").expect("somebody leads");
    assert_eq!((leader.value(), leader.service()), (&b"a foreign value"[..], None));

    let standing = elector.elect(candidate("ours"));
    pin_mut!(standing);
    assert!(timeout(std::time::Duration::from_millis(500), standing.as_mut()).await.is_err(), "it waits");
    let candidates = patiently("candidates", elector.candidates()).await.expect("answers");
    let ids: Vec<_> =
        candidates.iter().map(|each| each.service().map(|service| service.id().to_string())).collect();
    assert_eq!(ids, [None, Some("ours".to_owned())]);

    foreign.stop().await.expect("etcdctl resigns");
    let leadership = patiently("elect", standing).await.expect("elected");
    assert!(leadership.token().value() > leader.token().value());
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcdctl_sees_our_leader_waits_for_it_and_follows() {
    let server = Etcd::start().await.expect("a server");
    let ctl = server.ctl().expect("etcdctl");
    let client = dial(&format!("etcd://{}/interop?ttl=5s", server.endpoint())).await;
    let elector = elector(&*client).await;
    let leadership = patiently("elect", elector.elect(candidate("ours"))).await.expect("elected");

    let mut listener = ctl.spawn(&["elect", "--listen", ELECTION]).expect("runs");
    let key = listener.line(PATIENCE).await.expect("etcdctl sees a leader");
    let value = listener.line(PATIENCE).await.expect("and its value");
    assert!(key.starts_with("interop/elections/reaper/"), "{key}");
    assert!(value.contains("10.0.0.7"), "{value}");

    let mut observed = elector.observe().await.expect("observes");
    let mut foreign = ctl.spawn(&["elect", ELECTION, "next"]).expect("runs");
    assert!(foreign.line(std::time::Duration::from_millis(700)).await.is_err(), "etcdctl waits");
    patiently("resign", leadership.resign()).await.expect("resigns");
    foreign.line(PATIENCE).await.expect("etcdctl leads");
    let sees_foreign = async {
        while let Some(Ok(item)) = observed.next().await {
            if matches!(&item, Observation::Leader(leader) if leader.value() == b"next") {
                return Ok(true);
            }
        }
        Ok(false)
    };
    assert!(patiently("observe", sees_foreign).await.expect("observes"));
    client.close().await.expect("closes");
}
