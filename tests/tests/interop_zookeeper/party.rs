//! The places of party: Curator's classes look at `/ENV/instances`, and so do we.

use std::collections::BTreeSet;

use reception::{ClientExt as _, Service};
use reception_lab::ZooKeeper;
use reception_tests::{Follower, api, dial, patiently};

use crate::{SESSION, curator::Curator};

fn ids(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&id| id.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_layout_of_party_and_curator_under_its_path_see_each_other() {
    let server = ZooKeeper::start().await.expect("a server");
    let mut curator = Curator::start(server.endpoint()).await;
    curator.tell(&["discovery", "/staging/instances", "map"]).await;
    assert_eq!(curator.tell(&["cache", "api"]).await, "");
    let ttl = SESSION.as_secs();
    let client = dial(&format!("zk://{}/Staging?layout=party&ttl={ttl}s", server.endpoint())).await;
    let mut follower = Follower::start(&*client, &api()).await;

    let ours = Service::builder("api", "10.0.0.7", 8080).id("ours").attribute("zone", "a");
    let registered = client.register(ours.build().expect("valid"));
    let guard = patiently("register", registered).await.expect("registers");
    curator.event("our instance", |event| event.contains("api ours ") && event.contains("{zone=a}")).await;
    assert_eq!(curator.tell(&["names"]).await, "api");
    curator.tell(&["register", "api", "theirs", "h1", "port=80", "zone=b"]).await;
    follower.until("their instance", |follower| follower.ids() == ids(&["ours", "theirs"])).await;
    let all = patiently("list", client.list(&api())).await.expect("lists");
    assert_eq!(all.get("theirs").and_then(|theirs| theirs.attribute("zone")), Some("b"));
    assert_eq!(patiently("names", client.names()).await.expect("names").len(), 1);

    // Elections stand beside it, where no client takes them for a service.
    let elector = client.elector(&"api".parse().expect("a name")).await.expect("an elector");
    let candidate = Service::builder("api", "10.0.0.7", 8080).id("ours").build().expect("valid");
    let leadership = patiently("elect", elector.elect(candidate)).await.expect("leads");
    assert_eq!(curator.tell(&["names"]).await, "api");
    patiently("resign", leadership.resign()).await.expect("resigns");

    curator.tell(&["unregister", "api", "theirs", "h1"]).await;
    follower.until("their end", |follower| follower.ids() == ids(&["ours"])).await;
    patiently("close", guard.close()).await.expect("withdraws");
    curator.event("our end", |event| event == "cache ").await;
    client.close().await.expect("closes");
}
