//! What changes on one side is seen on the other, also when its process is killed.

use std::{collections::BTreeSet, time::Duration};

use futures_util::StreamExt as _;
use reception::{ClientExt as _, ErrorKind, RegistrationState, Service, ServiceBuilder, Watcher};
use reception_lab::{
    Agent, ZooKeeper,
    history::{Event, Line, Reader},
};
use reception_tests::{Follower, PATIENCE, api, dial, patiently};
use tokio::time::{Instant, sleep};

use crate::{BASE, SESSION, curator::Curator};

fn ours() -> ServiceBuilder {
    Service::builder("api", "10.0.0.7", 8080).id("ours")
}

fn url(server: &ZooKeeper) -> String {
    format!("zk://{}{BASE}?ttl={}s", server.endpoint(), SESSION.as_secs())
}

fn ids(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&id| id.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_of_curator_follows_our_registration() {
    let server = ZooKeeper::start().await.expect("a server");
    let mut curator = Curator::discovery(server.endpoint(), "map").await;
    assert_eq!(curator.tell(&["cache", "api"]).await, "");
    let client = dial(&url(&server)).await;
    let first = client.register(ours().attribute("zone", "a").build().expect("valid"));
    let guard = patiently("register", first).await.expect("registers");
    curator.event("our instance", |event| event.contains("api ours ") && event.contains("{zone=a}")).await;

    let updated = ours().port(9090).attribute("zone", "b").build().expect("valid");
    patiently("update", guard.update(updated)).await.expect("updates");
    let event = curator.event("our update", |event| event.contains("{zone=b}")).await;
    assert!(event.contains("port=9090"), "{event}");

    patiently("close", guard.close()).await.expect("withdraws");
    curator.event("our end", |event| event == "cache ").await;

    let again = patiently("register", client.register(ours().build().expect("valid"))).await;
    let _again = again.expect("registers");
    curator.event("our instance again", |event| event.contains("api ours ")).await;
    client.close().await.expect("closes");
    curator.event("our client's end", |event| event == "cache ").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_watch_follows_a_registration_of_curator() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&url(&server)).await;
    let mut follower = Follower::start(&*client, &api()).await;
    let mut watcher = client.watch(&api()).await.expect("watches");
    assert_eq!(follower.ids(), ids(&[]));
    let mut curator = Curator::discovery(server.endpoint(), "map").await;
    curator.tell(&["register", "api", "theirs", "h1", "port=80", "zone=a"]).await;
    follower.until("their instance", |follower| follower.ids() == ids(&["theirs"])).await;
    curator.tell(&["update", "api", "theirs", "h2", "port=81", "zone=b"]).await;
    shows(&mut *watcher, "their update", |each| {
        each.address() == "h2" && each.attribute("zone") == Some("b")
    })
    .await;
    curator.tell(&["unregister", "api", "theirs", "h2"]).await;
    follower.until("their end", |follower| follower.ids() == ids(&[])).await;

    curator.tell(&["register", "api", "theirs", "h1", "port=80"]).await;
    follower.until("their instance again", |follower| follower.ids() == ids(&["theirs"])).await;
    curator.tell(&["close"]).await;
    follower.until("their client's end", |follower| follower.ids() == ids(&[])).await;
    assert_eq!(follower.stales, 0);
    client.close().await.expect("closes");
}

/// Waits until the watch shows the instance `theirs` like this.
async fn shows(watcher: &mut dyn Watcher, what: &str, wanted: impl Fn(&Service) -> bool + Sync) {
    let look = async {
        while let Some(item) = watcher.next().await {
            item?;
            if watcher.current().and_then(|view| view.get("theirs").map(&wanted)) == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    assert!(patiently(what, look).await.expect("watches"), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_the_view_of_the_other() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&url(&server)).await;
    let mut follower = Follower::start(&*client, &api()).await;
    let mut dying = Curator::discovery(server.endpoint(), "map").await;
    dying.tell(&["register", "api", "theirs", "h1", "port=80"]).await;
    follower.until("their instance", |follower| follower.ids() == ids(&["theirs"])).await;
    dying.kill();
    follower.until("the end of their session", |follower| follower.ids() == ids(&[])).await;

    let mut curator = Curator::discovery(server.endpoint(), "map").await;
    curator.tell(&["cache", "api"]).await;
    let history = tempfile::NamedTempFile::new().expect("a file");
    let path = history.path().display().to_string();
    let words = ["--url", &url(&server), "--history", &path, "--id", "c", "--service", "api"];
    let contender = Agent::start(env!("CARGO_BIN_EXE_contender"), words).expect("starts");
    curator.event("our instance", |event| event.contains("api c-0 ")).await;
    contender.kill();
    curator.event("the end of our session", |event| event == "cache ").await;
    client.close().await.expect("closes");
}

/// Curator removes what stands in its place, whoever owns it, and then creates: who comes first after that stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_ours_that_curator_takes_has_one_owner_that_knows_it() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&url(&server)).await;
    let guard = patiently("register", client.register(ours().build().expect("valid"))).await;
    let guard = guard.expect("registers");
    let mut curator = Curator::discovery(server.endpoint(), "map").await;
    curator.tell(&["register", "api", "ours", "h9", "port=80"]).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = curator.tell(&["list", "api"]).await;
        let agreed = match guard.state() {
            RegistrationState::Active => told.starts_with("api ours 10.0.0.7 "),
            RegistrationState::Ended(cause) => {
                cause.kind() == ErrorKind::Conflict && told.starts_with("api ours h9 ")
            }
            _ => false,
        };
        if agreed {
            break;
        }
        assert!(Instant::now() < deadline, "{:?}, but {told}", guard.state());
        sleep(Duration::from_millis(20)).await;
    }
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_curators_stays_curators() {
    let server = ZooKeeper::start().await.expect("a server");
    let history = tempfile::NamedTempFile::new().expect("a file");
    let mut reader = Reader::open(history.path()).expect("a history");
    let path = history.path().display().to_string();
    let words = ["--url", &url(&server), "--history", &path, "--id", "c", "--service", "api"];
    let contender = Agent::start(env!("CARGO_BIN_EXE_contender"), words).expect("starts");
    let mut said = async |what: &str, wanted: &dyn Fn(&Line) -> bool| {
        let deadline = Instant::now() + PATIENCE;
        while !reader.more().expect("a history").iter().any(wanted) {
            assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}\n{}", contender.logs());
            sleep(Duration::from_millis(5)).await;
        }
    };
    said("registered", &|line| line.event == Event::Registered).await;
    let mut curator = Curator::discovery(server.endpoint(), "map").await;

    // Taken while its owner stands still, so that it cannot come first.
    contender.pause().expect("stops");
    curator.tell(&["register", "api", "c-0", "h9", "port=80"]).await;
    contender.resume().expect("goes on");
    said("the loss", &|line| line.details.get("state") == Some("ended")).await;
    contender.terminate().await.expect("ends");

    let client = dial(&url(&server)).await;
    let again = Service::builder("api", "10.0.0.7", 8080).id("c-0").build().expect("valid");
    let refused = patiently("register", client.register(again)).await;
    assert_eq!(refused.expect_err("it is theirs").kind(), ErrorKind::Conflict);
    client.close().await.expect("closes");
    let told = curator.tell(&["list", "api"]).await;
    assert!(told.starts_with("api c-0 h9 "), "{told}");
}
