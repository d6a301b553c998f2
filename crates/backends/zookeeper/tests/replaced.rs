//! Records that are replaced, as a reader sees them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream as _;
use reception_core::{
    Change, Client, ClientExt, Dialer, OnConflict, RegisterOptions, Service, ServiceName, Watcher,
};
use reception_lab::{ZooKeeper, eventually};
use zookeeper_client as zk;

const SOON: Duration = Duration::from_secs(20);
const ROUNDS: u16 = 300;
/// A busy machine may tear the two events of one transaction further apart than they are waited for. Without the wait it is one round in eight.
const TORN: usize = 3;

async fn dial(zookeeper: &ZooKeeper, layout: &str) -> Arc<dyn Client> {
    let url = format!("zk://{}/prod?ttl=10s&layout={layout}", zookeeper.endpoint());
    Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap()
}

/// Reads until this port is shown; how often the record was gone meanwhile.
async fn gone_until(watcher: &mut Box<dyn Watcher>, port: u16) -> usize {
    let mut gone = 0;
    let shows = |watcher: &dyn Watcher| {
        watcher
            .current()
            .is_some_and(|view| view.iter().any(|one| one.port().is_some_and(|has| has.get() == port)))
    };
    while !shows(&**watcher) {
        let change = poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx));
        match tokio::time::timeout(SOON, change).await.unwrap().unwrap().unwrap() {
            Change::Patch(patch) => gone += patch.removed().len(),
            Change::Reset(_) => {}
            other => panic!("{other:?}"),
        }
    }
    gone
}

async fn replaced(layout: &str, torn: usize) {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let owners = [dial(&zookeeper, layout).await, dial(&zookeeper, layout).await];
    let reader = dial(&zookeeper, layout).await;
    let mut watcher = reader.watch(&ServiceName::new("api").unwrap()).await.unwrap();
    let options = RegisterOptions::default().on_conflict(OnConflict::Replace);
    let (mut guards, mut gone) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let port = 8000 + round;
        let one = Service::builder("api", "10.0.0.7", port).id("one").build().unwrap();
        let owner = &owners[usize::from(round % 2)];
        // The one before it may not have been told yet.
        let registration = eventually(SOON, || async {
            owner.register_with(one.clone(), options).await.map_err(|error| error.to_string())
        });
        let registration = registration.await.unwrap();
        guards.clear();
        guards.push(registration);
        let times = gone_until(&mut watcher, port).await;
        gone.extend((times > 0).then_some(round));
    }
    assert!(gone.len() <= torn, "gone for a moment in {} rounds of {ROUNDS}", gone.len());
    drop(guards);
    for client in owners.into_iter().chain([reader]) {
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_replaced_is_not_gone_for_a_moment() {
    replaced("curator", TORN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_whose_node_is_numbered_is_not_gone_either() {
    // The new node comes before the old one goes: there is no moment between.
    replaced("serverset", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_numbered_node_comes_before_the_one_that_it_replaces_goes() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let owners = [dial(&zookeeper, "serverset").await, dial(&zookeeper, "serverset").await];
    let one = Service::builder("api", "10.0.0.7", 8000).id("one").build().unwrap();
    let first = owners[0].register(one.clone()).await.unwrap();
    let direct = zk::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let mut watcher = direct.watch("/prod/api", zk::AddWatchMode::PersistentRecursive).await.unwrap();
    let options = RegisterOptions::default().on_conflict(OnConflict::Replace);
    let second = owners[1].register_with(one, options).await.unwrap();
    let mut told = Vec::new();
    while !told.contains(&zk::EventType::NodeDeleted) {
        let event = tokio::time::timeout(SOON, watcher.changed()).await.unwrap();
        if event.path.starts_with("/prod/api/") {
            told.push(event.event_type);
        }
    }
    assert_eq!(told, [zk::EventType::NodeCreated, zk::EventType::NodeDeleted]);
    drop((first, second));
    for client in owners {
        client.close().await.unwrap();
    }
}
