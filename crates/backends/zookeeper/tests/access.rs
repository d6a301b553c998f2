//! Users, rights and namespaces, on a real server.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{future::poll_fn, pin::Pin, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{
    Change, Client, ClientExt, Dialer, ErrorKind, RegistrationState, Secret, Service, ServiceName,
};
use reception_lab::{Proxy, ZooKeeper, ZooKeeperSession, eventually};
use reception_zookeeper::Options;
use zookeeper_client as zk;

const SOON: Duration = Duration::from_secs(10);

fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

fn api() -> ServiceName {
    ServiceName::new("api").unwrap()
}

fn options(zookeeper: &ZooKeeper) -> Options {
    Options::new([zookeeper.endpoint().to_string()]).namespace("prod").ttl(Duration::from_secs(3))
}

#[tokio::test]
async fn with_a_user_everything_belongs_to_its_creator() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let owner = options(&zookeeper).user("app", Secret::new("sesame"));
    let owner = reception_zookeeper::dial(owner).await.unwrap();
    let registration = owner.register(instance("one")).await.unwrap();
    let elector = owner.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(instance("one")).await.unwrap();
    let direct = zk::Client::connector().with_auth("digest", b"app:sesame");
    let direct = direct.connect(&zookeeper.endpoint().to_string()).await.unwrap();
    for path in ["/prod", "/prod/api", "/prod/api/one", "/prod-elections", "/prod-elections/.domain"] {
        let (acls, _) = direct.get_acl(path).await.unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
        let schemes: Vec<_> = acls.iter().map(|acl| acl.scheme().to_owned()).collect();
        assert_eq!(schemes, ["digest"], "{path}");
    }
    // Whoever has another password is somebody else.
    for stranger in [options(&zookeeper), options(&zookeeper).user("app", Secret::new("wrong"))] {
        let stranger = reception_zookeeper::dial(stranger).await.unwrap();
        assert_eq!(stranger.list(&api()).await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(stranger.register(instance("two")).await.unwrap_err().kind(), ErrorKind::Denied);
        stranger.close().await.unwrap();
    }
    let fellow = options(&zookeeper).user("app", Secret::new("sesame"));
    let fellow = reception_zookeeper::dial(fellow).await.unwrap();
    assert_eq!(fellow.list(&api()).await.unwrap().len(), 1);
    fellow.close().await.unwrap();
    assert!(leadership.is_held());
    drop((registration, leadership));
    owner.close().await.unwrap();
}

#[cfg(feature = "sasl")]
#[tokio::test]
async fn a_user_logs_in_by_sasl_and_a_wrong_password_is_told() {
    let server = reception_lab::ZooKeeperOptions::default().sasl("app", "sesame");
    let zookeeper = ZooKeeper::start_with(server).await.unwrap();
    let right = options(&zookeeper).user("app", Secret::new("sesame")).sasl(true);
    let client = reception_zookeeper::dial(right).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    let login = zk::SaslOptions::digest_md5("app", "sesame");
    let direct = zk::Client::connector().with_sasl(login);
    let direct = direct.connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let (acls, _) = direct.get_acl("/prod/api/one").await.unwrap();
    assert_eq!((acls[0].scheme(), acls[0].id()), ("sasl", "app"));
    registration.close().await.unwrap();
    client.close().await.unwrap();

    let wrong = options(&zookeeper).user("app", Secret::new("guess")).sasl(true);
    let client = reception_zookeeper::dial(wrong).await.unwrap();
    let refused = client.list(&api()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused}");
    assert!(!format!("{refused} {refused:?}").contains("guess"));
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_chroot_goes_before_all_paths() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let url = format!("zk://{}/prod?ttl=3s&chroot=/team/a&elections=/latches", zookeeper.endpoint());
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    let _registration = client.register(instance("one")).await.unwrap();
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let _leadership = elector.elect(instance("one")).await.unwrap();
    let direct = zk::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    assert!(direct.check_stat("/team/a/prod/api/one").await.unwrap().is_some());
    let standing = direct.list_children("/team/a/latches/reaper").await.unwrap();
    assert!(standing[0].starts_with("_c_") && standing[0].ends_with("-latch-0000000000"), "{standing:?}");
    client.close().await.unwrap();
}

#[tokio::test]
async fn an_existing_client_is_used_and_left_open() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let given = zk::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let options = Options::new(Vec::<String>::new()).namespace("prod").client(given.clone());
    let client = reception_zookeeper::dial(options).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    let mut states = registration.state();
    assert!(matches!(states, RegistrationState::Active));
    let (_, stat) = given.get_data("/prod/api/one").await.unwrap();
    assert_eq!(stat.ephemeral_owner, given.session_id().0);
    client.close().await.unwrap();
    states = registration.state();
    assert!(matches!(states, RegistrationState::Ended(_)));
    assert_eq!(given.check_stat("/prod/api/one").await.unwrap(), None);
    assert_eq!(given.state(), zk::SessionState::SyncConnected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_existing_client_whose_session_ends_is_told_by_everything_that_used_it() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let proxy = Proxy::start(zookeeper.endpoint()).await.unwrap();
    let given = zk::Client::connect(&proxy.endpoint().to_string()).await.unwrap();
    let options = Options::new(Vec::<String>::new()).namespace("prod").client(given.clone());
    let options = options.timeout(Duration::from_secs(1));
    let client = reception_zookeeper::dial(options).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(instance("one")).await.unwrap();
    let mut watcher = client.watch(&api()).await.unwrap();
    let mut observed = elector.observe().await.unwrap();
    assert!(observed.next().await.unwrap().is_ok());
    let session = ZooKeeperSession::read(&proxy.openings()[0]).unwrap();
    session.end(zookeeper.endpoint()).await.unwrap();

    tokio::time::timeout(SOON, leadership.tenure().lost()).await.unwrap();
    let stale = async {
        while !matches!(poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx)).await, Some(Ok(Change::Stale(_))))
        {
        }
    };
    tokio::time::timeout(SOON, stale).await.unwrap();
    eventually(SOON, || async {
        match registration.state() {
            RegistrationState::Doubtful(_) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    assert_eq!(client.list(&api()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let late = elector.elect(instance("two"));
    assert!(tokio::time::timeout(Duration::from_millis(300), late).await.is_err());
    drop(tokio::time::timeout(SOON, client.close()).await.unwrap());
    assert_eq!(given.state(), zk::SessionState::Expired);
}

#[tokio::test]
async fn party_looks_where_it_looks() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let url = format!("zk://{}/Staging?ttl=3s&layout=party&payload=none", zookeeper.endpoint());
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    let _registration = client.register(instance("one")).await.unwrap();
    let direct = zk::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let (record, _) = direct.get_data("/staging/instances/api/one").await.unwrap();
    let record = String::from_utf8(record).unwrap();
    assert!(record.starts_with(r#"{"name":"api","id":"one","address":"10.0.0.7""#), "{record}");
    let refused = client.register(instance("two").to_builder().attribute("zone", "a").build().unwrap()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInstance);
    client.close().await.unwrap();
    eventually(SOON, || async {
        match direct.check_stat("/staging/instances/api/one").await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn options_that_do_not_fit_are_refused_before_anything_is_sent() {
    let dialer = Dialer::new().with(reception_zookeeper::BACKEND).unwrap();
    for query in [
        "layout=serversets",
        "payload=bean",
        "elections=relative",
        "elections=/prod/api",
        "chroot=relative",
        "sasl=true",
        "ttl=0s",
        "cert=/a",
        "tls=true",
    ] {
        let refused = dialer.dial(&format!("zk://127.0.0.1:1/prod?{query}")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config, "{query}: {refused}");
    }
    let refused = dialer.dial("zk+tls://127.0.0.1:1/prod").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused}");
}

#[tokio::test]
async fn hosts_may_be_several_addresses_of_both_kinds() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let served = zookeeper.endpoint();
    // Nobody listens at the first two.
    let url = format!("zk://[::1]:1,127.0.0.1:1,{served}/prod?ttl=3s");
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    assert!(client.list(&api()).await.unwrap().is_empty());
    client.close().await.unwrap();
}
