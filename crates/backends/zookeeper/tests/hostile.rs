//! An operator who takes away, forbids and floods.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use futures_util::{
    Stream,
    future::{Either, select, try_join_all},
};
use reception_core::{
    Client, ClientExt, Dialer, ElectionName, ErrorKind, Leadership, Service, ServiceName, Snapshot, Watcher,
};
use reception_lab::{ZooKeeper, eventually};
use zookeeper_client as zk;

/// A registration is written again within R, 15 s.
const SOON: Duration = Duration::from_secs(40);
const LATE: Duration = Duration::from_secs(120);
const RECORD: &[u8] = br#"{"address":"10.0.0.9","port":9000}"#;

fn api() -> ServiceName {
    ServiceName::new("api").unwrap()
}

fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

async fn dial(endpoint: SocketAddr) -> Arc<dyn Client> {
    let url = format!("zk://{endpoint}/prod?ttl=5s");
    Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap()
}

async fn operator(zookeeper: &ZooKeeper) -> zk::Client {
    let connector = zk::Client::connector().with_session_timeout(Duration::from_secs(60));
    connector.connect(&zookeeper.endpoint().to_string()).await.unwrap()
}

/// Follows a watch, whatever it says on the way, until its view fits.
async fn until(
    watcher: &mut Box<dyn Watcher>,
    limit: Duration,
    fits: impl Fn(&Snapshot) -> bool + Send + Sync,
) {
    let seen = async {
        while !watcher.current().is_some_and(&fits) {
            drop(poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx)).await.unwrap().unwrap());
        }
    };
    let length = tokio::time::timeout(limit, seen).await.err().map(|_| watcher.current().map(Snapshot::len));
    assert_eq!(length, None, "the watch holds so many");
}

/// Removes a folder with all that is in it, also what comes meanwhile.
async fn uproot(operator: &zk::Client, path: &str) {
    let gone = || async {
        for folder in operator.list_children(path).await.unwrap_or_default() {
            let folder = format!("{path}/{folder}");
            for child in operator.list_children(&folder).await.unwrap_or_default() {
                drop(operator.delete(&format!("{folder}/{child}"), None).await);
            }
            drop(operator.delete(&folder, None).await);
        }
        operator.delete(path, None).await.map_err(|wrong| wrong.to_string())
    };
    eventually(SOON, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_uprooted_grows_again() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let (client, operator) = (dial(zookeeper.endpoint()).await, operator(&zookeeper).await);
    let mut watcher = client.watch(&api()).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    let elector = client.elector(&ElectionName::new("reaper").unwrap()).await.unwrap();
    let leadership: Leadership = elector.elect(instance("one")).await.unwrap();
    until(&mut watcher, SOON, |view| view.len() == 1).await;
    uproot(&operator, "/prod").await;
    uproot(&operator, "/prod-elections").await;
    let ended = select(Box::pin(leadership.lost()), Box::pin(tokio::time::sleep(SOON))).await;
    assert!(matches!(ended, Either::Left(_)), "a leader without a node");
    let again = tokio::time::timeout(SOON, elector.elect(instance("two"))).await.unwrap().unwrap();
    assert!(again.token() != leadership.token());
    let stands = || async {
        let listed = client.list(&api()).await.map_err(|error| error.to_string())?;
        if listed.get("one").is_some() { Ok(()) } else { Err(format!("{listed:?}")) }
    };
    eventually(SOON, stands).await.unwrap();
    // The watch is none of the old folder.
    let later = client.register(instance("later")).await.unwrap();
    until(&mut watcher, SOON, |view| view.len() == 2).await;
    later.close().await.unwrap();
    until(&mut watcher, SOON, |view| view.len() == 1 && view.get("one").is_some()).await;
    registration.close().await.unwrap();
    until(&mut watcher, SOON, Snapshot::is_empty).await;
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_locked_refuses_and_keeps_what_stands() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let (client, operator) = (dial(zookeeper.endpoint()).await, operator(&zookeeper).await);
    let mut watcher = client.watch(&api()).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    until(&mut watcher, SOON, |view| view.len() == 1).await;
    // To read, and to change that again.
    let locked = zk::Acl::new(zk::Permission::READ | zk::Permission::ADMIN, zk::AuthId::anyone());
    operator.set_acl("/prod/api", &[locked], None).await.unwrap();
    let refused = client.register(instance("two")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused}");
    assert!(refused.to_string().contains("/prod/api/two"), "{refused}");
    registration.update(instance("one").to_builder().attribute("zone", "a").build().unwrap()).await.unwrap();
    until(&mut watcher, SOON, |view| view.get("one").is_some_and(|one| one.attribute("zone") == Some("a")))
        .await;
    operator.set_acl("/prod/api", &zk::Acls::anyone_all(), None).await.unwrap();
    let two = client.register(instance("two")).await.unwrap();
    until(&mut watcher, SOON, |view| view.len() == 2).await;
    two.close().await.unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_strangers_are_all_seen_and_hide_nobody() {
    const STRANGERS: usize = 50_000;
    let zookeeper = ZooKeeper::start().await.unwrap();
    let (client, operator) = (dial(zookeeper.endpoint()).await, operator(&zookeeper).await);
    let registration = client.register(instance("one")).await.unwrap();
    let options = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    for some in (0..STRANGERS).collect::<Vec<_>>().chunks(1_000) {
        let create = |number: &usize| {
            let (operator, options, path) = (&operator, &options, format!("/prod/api/s{number:05}"));
            async move { operator.create(&path, RECORD, options).await.map(drop) }
        };
        try_join_all(some.iter().map(create)).await.unwrap();
    }
    let mut watcher = client.watch(&api()).await.unwrap();
    until(&mut watcher, LATE, |view| view.len() == STRANGERS + 1).await;
    operator.delete("/prod/api/s00007", None).await.unwrap();
    until(&mut watcher, SOON, |view| view.len() == STRANGERS).await;
    assert!(watcher.current().unwrap().get("one").is_some());
    registration.close().await.unwrap();
    until(&mut watcher, SOON, |view| view.len() == STRANGERS - 1).await;
    client.close().await.unwrap();
}
