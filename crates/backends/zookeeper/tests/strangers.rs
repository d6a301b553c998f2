//! What others put among the instances: it hides nothing and breaks nothing.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, future::try_join_all};
use reception_core::{
    Change, Client, ClientExt, Dialer, ErrorKind, Registration, RegistrationState, Service, ServiceName,
    Snapshot, Watcher,
};
use reception_lab::{Proxy, ZooKeeper, eventually};
use zookeeper_client as zk;

const SOON: Duration = Duration::from_secs(20);
const RECORD: &[u8] = br#"{"address":"10.0.0.9","port":9000}"#;
/// Longer than any name that is read; a few hundred paths of it are more than a server takes in one request.
const LONG: usize = 2_400;

fn api() -> ServiceName {
    ServiceName::new("api").unwrap()
}

async fn dial(endpoint: SocketAddr) -> Arc<dyn Client> {
    dial_with(endpoint, "ttl=5s").await
}

async fn dial_with(endpoint: SocketAddr, options: &str) -> Arc<dyn Client> {
    let url = format!("zk://{endpoint}/prod?{options}");
    Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap()
}

async fn stranger(zookeeper: &ZooKeeper) -> zk::Client {
    let connector = zk::Client::connector().with_session_timeout(Duration::from_secs(60));
    connector.with_auth("digest", b"stranger:x").connect(&zookeeper.endpoint().to_string()).await.unwrap()
}

async fn put(stranger: &zk::Client, child: &str, acls: zk::Acls<'_>) -> Result<(), zk::Error> {
    let options = zk::CreateMode::Persistent.with_acls(acls);
    stranger.create(&format!("/prod/api/{child}"), RECORD, &options).await.map(drop)
}

async fn folder(stranger: &zk::Client) {
    let open = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    stranger.mkdir("/prod/api", &open).await.unwrap();
}

async fn until(watcher: &mut Box<dyn Watcher>, what: &str, fits: impl Fn(&Snapshot) -> bool + Send + Sync) {
    let seen = async {
        while !watcher.current().is_some_and(&fits) {
            let change = poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx)).await.unwrap().unwrap();
            assert!(!matches!(change, Change::Stale(_)), "{change:?}");
        }
    };
    assert!(tokio::time::timeout(SOON, seen).await.is_ok(), "{what}: {:?}", watcher.current());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_too_long_to_be_ids_are_counted_and_not_read() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let stranger = stranger(&zookeeper).await;
    folder(&stranger).await;
    let names: Vec<String> = (0..600).map(|number| format!("{number:0LONG$}")).collect();
    try_join_all(names.iter().map(|name| put(&stranger, name, zk::Acls::anyone_all()))).await.unwrap();
    let client = dial(zookeeper.endpoint()).await;
    let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(one).await.unwrap();

    let all = client.list(&api()).await.unwrap();
    assert_eq!((all.len(), all.unreadable()), (1, 600));
    let mut watcher = client.watch(&api()).await.unwrap();
    until(&mut watcher, "the start", |view| view.len() == 1 && view.unreadable() == 600).await;
    stranger.delete(&format!("/prod/api/{}", names[0]), None).await.unwrap();
    put(&stranger, "two", zk::Acls::anyone_all()).await.unwrap();
    until(&mut watcher, "a change", |view| view.len() == 2 && view.unreadable() == 599).await;
    assert!(client.names().await.unwrap().contains(&api()));
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_may_not_be_read_is_counted_and_hides_no_other() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let stranger = stranger(&zookeeper).await;
    folder(&stranger).await;
    put(&stranger, "open", zk::Acls::anyone_all()).await.unwrap();
    put(&stranger, "secret", zk::Acls::creator_all()).await.unwrap();
    let client = dial(zookeeper.endpoint()).await;

    let all = client.list(&api()).await.unwrap();
    assert_eq!((all.len(), all.unreadable()), (1, 1));
    let mut watcher = client.watch(&api()).await.unwrap();
    until(&mut watcher, "the start", |view| view.len() == 1 && view.unreadable() == 1).await;
    // Of these a server with the fix of CVE-2024-23944 tells nobody who may not read them.
    put(&stranger, "hidden", zk::Acls::creator_all()).await.unwrap();
    put(&stranger, "late", zk::Acls::anyone_all()).await.unwrap();
    until(&mut watcher, "a change", |view| view.len() == 2 && view.unreadable() >= 1).await;
    stranger.delete("/prod/api/late", None).await.unwrap();

    // Nothing at all that may be read is no empty service.
    stranger.delete("/prod/api/open", None).await.unwrap();
    assert_eq!(client.list(&api()).await.unwrap_err().kind(), ErrorKind::Denied);
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_became_nonsense_in_a_break_is_not_shown_any_more() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let proxy = Proxy::start(zookeeper.endpoint()).await.unwrap();
    let stranger = stranger(&zookeeper).await;
    folder(&stranger).await;
    put(&stranger, "one", zk::Acls::anyone_all()).await.unwrap();
    put(&stranger, "two", zk::Acls::anyone_all()).await.unwrap();
    let client = dial(proxy.endpoint()).await;
    let mut watcher = client.watch(&api()).await.unwrap();
    until(&mut watcher, "the start", |view| view.len() == 2).await;

    proxy.cut().await.unwrap();
    stranger.set_data("/prod/api/one", b"nonsense", None).await.unwrap();
    proxy.heal().await.unwrap();
    let mended = async {
        while !matches!(
            poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx)).await.unwrap().unwrap(),
            Change::Reset(_)
        ) {}
    };
    tokio::time::timeout(SOON, mended).await.unwrap();
    let view = watcher.current().unwrap();
    assert_eq!((view.len(), view.unreadable()), (1, 1), "{view:?}");
    client.close().await.unwrap();
}

/// The only child of the folder.
async fn node(stranger: &zk::Client) -> String {
    let children = stranger.list_children("/prod/api").await.unwrap();
    assert_eq!(children.len(), 1, "{children:?}");
    format!("/prod/api/{}", children[0])
}

async fn ends_in_a_conflict(registration: &Registration, what: &str) {
    let ended = eventually(SOON, || async {
        match registration.state() {
            RegistrationState::Ended(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    assert!(ended.await.is_ok(), "{what}: {:?}", registration.state());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_a_stranger_writes_over_is_theirs_and_its_registration_ends() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let stranger = stranger(&zookeeper).await;
    let (ours, theirs) = ("8080", "9000");
    for layout in ["curator", "serverset"] {
        let client = dial_with(zookeeper.endpoint(), &format!("ttl=5s&layout={layout}")).await;
        let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
        let registration = client.register(one.clone()).await.unwrap();
        let node = node(&stranger).await;
        let (record, _) = stranger.get_data(&node).await.unwrap();
        // Written by somebody, and what it says is ours.
        stranger.set_data(&node, &record, None).await.unwrap();
        registration.update(one).await.unwrap();
        let text = String::from_utf8(record).unwrap();
        assert!(text.contains(ours), "{text}");
        stranger.set_data(&node, text.replace(ours, theirs).as_bytes(), None).await.unwrap();
        ends_in_a_conflict(&registration, layout).await;
        let all = client.list(&api()).await.unwrap();
        let ports: Vec<_> = all.iter().map(|service| service.port().unwrap().to_string()).collect();
        assert_eq!(ports, [theirs], "{layout}");
        drop(registration);
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_does_not_write_over_what_a_stranger_wrote() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let stranger = stranger(&zookeeper).await;
    let client = dial(zookeeper.endpoint()).await;
    let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(one.clone()).await.unwrap();
    for port in [8081, 8082] {
        registration.update(one.to_builder().port(port).build().unwrap()).await.unwrap();
    }
    let (written, updated) =
        tokio::join!(stranger.set_data("/prod/api/one", RECORD, None), registration.update(one));
    written.unwrap();
    // Whoever was first: what the stranger wrote over ours stays, and what we wrote over theirs is told.
    let (record, _) = stranger.get_data("/prod/api/one").await.unwrap();
    assert_eq!(record, RECORD, "{updated:?}");
    ends_in_a_conflict(&registration, "the update").await;
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_may_not_be_read_hides_no_other_name() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let stranger = stranger(&zookeeper).await;
    folder(&stranger).await;
    put(&stranger, "one", zk::Acls::anyone_all()).await.unwrap();
    let secret = zk::CreateMode::Persistent.with_acls(zk::Acls::creator_all());
    for path in ["/prod/secret", "/prod/secret/one"] {
        stranger.create(path, RECORD, &secret).await.unwrap();
    }
    let client = dial(zookeeper.endpoint()).await;
    assert_eq!(client.names().await.unwrap(), [api()].into());

    // Nothing that may be read is not nothing; and what is above all says no for all.
    stranger.set_acl("/prod/api", &zk::Acls::creator_all(), None).await.unwrap();
    assert_eq!(client.names().await.unwrap_err().kind(), ErrorKind::Denied);
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_may_not_be_read_hides_no_other_but_may_lead() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let stranger = stranger(&zookeeper).await;
    let open = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    stranger.mkdir("/prod-elections/reaper", &open).await.unwrap();
    let client = dial(zookeeper.endpoint()).await;
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership =
        elector.elect(Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap()).await.unwrap();
    let secret = zk::CreateMode::EphemeralSequential.with_acls(zk::Acls::creator_all());
    stranger.create("/prod-elections/reaper/latch-", RECORD, &secret).await.unwrap();
    let standing = elector.candidates().await.unwrap();
    let ids: Vec<_> =
        standing.iter().map(|one| one.service().map(|service| service.id().to_string())).collect();
    assert_eq!(ids, [Some("one".to_owned())]);
    assert!(elector.leader().await.unwrap().is_some());

    // First in line it may lead: to say that nobody does would be wrong.
    leadership.resign().await.unwrap();
    assert_eq!(elector.leader().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(elector.candidates().await.unwrap_err().kind(), ErrorKind::Denied);
    client.close().await.unwrap();
}
