//! Bad inputs on ZooKeeper: the typed error, before any I/O where it can be known, and never a panic or a hang.
//!
//! Values that cannot be made (names, ids, addresses, attributes) are refused by `reception-core`, and no layer sends one: law L15 shows it here, too.
//! Servers that are closed, unknown, silent after a first word or speak nonsense are in `unreachable.rs` of the crate, users and rights in `access.rs`,
//! odd records in law L16, odd children in its unit tests; what follows is the rest.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::{collections::BTreeSet, io::Write as _, sync::Arc, time::Duration};

use reception::{Client, ClientExt as _, ErrorKind, RegistrationState, limits};
use reception_lab::{Etcd, Proxy, ZooKeeper, ZooKeeperOptions};
use reception_tests::{Follower, api, dial, instance, patiently};
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};
use zookeeper_client as zk;

async fn direct(server: &ZooKeeper) -> zk::Client {
    zk::Client::connect(&server.endpoint().to_string()).await.expect("a session")
}

async fn put(client: &zk::Client, path: &str, record: &[u8]) {
    let options = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    let (folder, _) = path.rsplit_once('/').expect("a path");
    client.mkdir(folder, &options).await.expect("a folder");
    client.create(path, record, &options).await.expect("a node");
}

/// B5, B6, B9 to B12: what is known to be wrong is told at once, and never with the password.
#[tokio::test]
async fn a_dial_that_cannot_work_is_refused_before_any_io() {
    for rest in [
        ":",
        "://",
        ":///ns",
        "://h1/../x",
        "://h1/.",
        "://h1/a%2f..%2fb",
        "://h1/é",
        "://h1/a%00b",
        "://h1:0",
        "://h1:65536",
        "://h1,,h2",
        "://h1,h1",
        "://::1",
        "://h 1",
        "://h1?ttl=0s",
        "://h1?ttl=-1s",
        "://h1?ttl=10",
        "://h1?ttl=100ms",
        "://h1?ttl=25h",
        "://h1?timeout=0s",
        "://h1?tll=3s",
        "://h1?margin=3s",
        "://h1?chroot=a/../b",
        "://h1?chroot=/a//b",
        "://h1?elections=/zookeeper/../x",
        "://h1/prod?elections=/prod",
        "://h1?layout=nonsense",
        "://h1?payload=bean",
        "://h1?cert=c",
        "://h1?key=k",
        "://h1?tls",
        "://h1?sasl",
        "://h1?user=you",
        "://h1?password_file=/nonexistent/x",
        "://me:canary@h1?user=you&password_file=f",
        "://me:canary@h1?sasl=maybe",
        "://me:canary@h1?tls",
        "+tls://h1",
    ] {
        let error = match reception::dial(&format!("zk{rest}")).await {
            Ok(client) => panic!("zk{rest} was taken: {client:?}"),
            Err(error) => error,
        };
        let told =
            matches!(error.kind(), ErrorKind::Config | ErrorKind::InvalidName | ErrorKind::Unsupported);
        assert!(told, "zk{rest}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

/// B5: a path is taken with or without slashes at its ends, and means the same.
#[tokio::test]
async fn slashes_at_the_ends_of_a_path_change_nothing() {
    let server = ZooKeeper::start().await.expect("a server");
    let at = server.endpoint();
    let (plain, slashed) = (dial(&format!("zk://{at}/a/b")).await, dial(&format!("zk://{at}/a/b/")).await);
    let registration = plain.register(instance("i")).await.expect("registers");
    assert_eq!(slashed.list(&api()).await.expect("lists").len(), 1);
    let observer = direct(&server).await;
    assert!(observer.check_stat("/a/b/api/i").await.expect("looks").is_some());
    drop(registration);
    plain.close().await.expect("closes");
    slashed.close().await.expect("closes");
}

/// B29: the file is named, and its content never shown.
#[tokio::test]
async fn a_file_that_is_wrong_is_named_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::File::create(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .expect("written");
        path.display().to_string()
    };
    let authority = rcgen::generate_simple_self_signed(vec!["lab".to_owned()]).expect("a certificate");
    let other = rcgen::KeyPair::generate().expect("a key");
    let ca = file("ca.pem", &authority.cert.pem());
    let key = file("key.pem", &other.serialize_pem());
    let block = |label: &str| format!("-----BEGIN {label}-----\nY2FuYXJ5\n-----END {label}-----\n");
    let empty = file("empty.pem", "");
    let noise = file("noise.pem", "canary canary canary");
    let encrypted = file("encrypted.pem", &block("ENCRYPTED PRIVATE KEY"));
    let broken = file("broken.pem", &block("CERTIFICATE"));
    let missing = folder.path().join("missing.pem").display().to_string();
    for (named, query) in [
        ("ca", format!("ca={missing}")),
        ("ca", format!("ca={empty}")),
        ("ca", format!("ca={noise}")),
        ("ca", format!("ca={broken}")),
        ("cert", format!("ca={ca}&cert={noise}&key={key}")),
        ("", format!("ca={ca}&cert={ca}&key={encrypted}")),
        ("", format!("ca={ca}&cert={ca}&key={key}")),
        ("password_file", format!("user=me&password_file={missing}")),
        ("password_file", format!("user=me&password_file={empty}")),
    ] {
        let error = reception::dial(&format!("zk://127.0.0.1:1?{query}")).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Config, "{query}: {error}");
        assert!(error.context().contains(named), "{error} names {named}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("BEGIN"), "{error:?}");
    }
}

/// B7 and B8: ZooKeeper just hangs up on an oversize request, so none is sent.
#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_harms_nothing() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&format!("zk://{}/large", server.endpoint())).await;
    let noise = "\u{1}".repeat(limits::MAX_VALUE);
    let large = (0..limits::MAX_ATTRIBUTES)
        .fold(instance("large").to_builder(), |builder, at| builder.attribute(&format!("k{at}"), &noise));
    let large = large.build().expect("within the limits of its parts");
    let error = patiently("register", client.register(large.clone())).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let registration = client.register(instance("large")).await.expect("a good one is taken");
    let error = patiently("update", registration.update(large)).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(matches!(registration.state(), RegistrationState::Active), "{:?}", registration.state());
    client.close().await.expect("closes");
}

/// B9: a server grants 2 to 20 of its ticks, and what it grants is what counts.
#[tokio::test]
async fn the_time_that_is_granted_counts_and_not_the_one_that_was_asked_for() {
    let limits = ZooKeeperOptions::default().line("minSessionTimeout=3000").line("maxSessionTimeout=5000");
    let server = ZooKeeper::start_with(limits).await.expect("a server");
    for (asked, granted) in [("1s", 3), ("4s", 4), ("1m", 5)] {
        let client = dial(&format!("zk://{}/x?ttl={asked}", server.endpoint())).await;
        let probe = client.probe().await.expect("answers");
        assert_eq!(probe.lease, Some(Duration::from_secs(granted)), "{asked} was asked for");
        assert!(client.capabilities().crash_bound >= Duration::from_secs(granted));
        client.close().await.expect("closes");
    }
}

async fn fails_in_time(url: &str, kinds: &[ErrorKind]) {
    let (client, begun) = (dial(url).await, Instant::now());
    let outcomes = [
        patiently("list", client.list(&api())).await.map(drop),
        patiently("register", client.register(instance("i"))).await.map(drop),
    ];
    for outcome in outcomes {
        let error = outcome.expect_err("nobody is there");
        assert!(kinds.contains(&error.kind()), "{url}: {error:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{url} took {:?}", begun.elapsed());
    let _ = timeout(Duration::from_secs(20), client.close()).await.expect("close does not hang");
}

/// B13 and B14: a black hole, another store, and one that speaks no TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_server_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let hole = silent.local_addr().expect("bound");
    let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Protocol];
    // Never accepted: the system says yes for it, and then nothing comes.
    fails_in_time(&format!("zk://{hole}/x?timeout=1s"), &kinds).await;
    drop(silent);
    let etcd = Etcd::start().await.expect("an etcd");
    fails_in_time(&format!("zk://{}/x?timeout=1s", etcd.endpoint()), &kinds).await;
    let server = ZooKeeper::start().await.expect("a server");
    fails_in_time(&format!("etcd://{}/x?timeout=1s", server.endpoint()), &kinds).await;
    let folder = tempfile::tempdir().expect("a folder");
    let authority = rcgen::generate_simple_self_signed(vec!["lab".to_owned()]).expect("a certificate");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.cert.pem()).expect("written");
    let url = format!("zk+tls://{}/x?timeout=1s&ca={}", server.endpoint(), ca.display());
    fails_in_time(&url, &kinds).await;
}

/// B15 and B16: what belongs to somebody else is told apart from a store that is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_missing_rights_are_told_apart() {
    let server =
        ZooKeeper::start_with(ZooKeeperOptions::default().sasl("app", "sesame")).await.expect("a server");
    let at = server.endpoint();
    let owner = dial(&format!("zk://app:sesame@{at}/own?sasl")).await;
    owner.register(instance("mine")).await.expect("registers").close().await.expect("closes");
    owner.close().await.expect("closes");
    for (url, kind) in [
        (format!("zk://app:canary@{at}/own?sasl&timeout=2s"), ErrorKind::Unauthenticated),
        (format!("zk://app:canary@{at}/own?timeout=2s"), ErrorKind::Denied),
        (format!("zk://{at}/own?timeout=2s"), ErrorKind::Denied),
    ] {
        let client = dial(&url).await;
        let refused = patiently("register", client.register(instance("i"))).await.expect_err("refused");
        assert_eq!(refused.kind(), kind, "{refused}");
        assert!(!format!("{refused} {refused:?}").contains("canary"), "{refused:?}");
        let begun = Instant::now();
        assert_eq!(patiently("list", client.list(&api())).await.expect_err("refused").kind(), kind);
        assert!(begun.elapsed() < Duration::from_secs(5), "no retry helps");
        let _ = timeout(Duration::from_secs(20), client.close()).await.expect("close does not hang");
    }
}

/// B20: children that are no candidates neither stand nor block, and stay where they are.
#[tokio::test]
async fn odd_children_of_an_election_are_no_candidates() {
    let server = ZooKeeper::start().await.expect("a server");
    let observer = direct(&server).await;
    let odd = [
        "latch-",
        "_c_x-latch--000000001",
        "_c_x-latch-00000000001",
        "_c_x-latch-0000000001x",
        "lock-0000000000",
        "readme",
    ];
    for child in odd {
        put(&observer, &format!("/x-elections/reaper/{child}"), b"").await;
    }
    let client = dial(&format!("zk://{}/x", server.endpoint())).await;
    let elector = client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
    let leadership = patiently("elect", elector.elect(instance("i"))).await.expect("elected");
    assert_eq!(elector.candidates().await.expect("lists").len(), 1);
    leadership.resign().await.expect("resigns");
    client.close().await.expect("closes");
    let left = observer.list_children("/x-elections/reaper").await.expect("lists");
    assert_eq!(left.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(odd));
}

/// B21: what cannot be read is counted, and the good ones stay.
#[tokio::test]
async fn odd_records_are_counted_and_hide_no_good_one() {
    let server = ZooKeeper::start().await.expect("a server");
    let observer = direct(&server).await;
    let deep = format!(r#"{{"address":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let odd = ["", "{", "null", "NaN", "\u{feff}{}", r#"{"port":80}"#, r#"{"address":7,"port":80}"#, &deep];
    for (number, record) in odd.iter().enumerate() {
        put(&observer, &format!("/x/api/odd-{number}"), record.as_bytes()).await;
    }
    put(&observer, "/x/api/binary", &[0xff, 0xfe, 0]).await;
    put(
        &observer,
        "/x/api/foreign",
        br#"{"name":"api","id":"foreign","address":"10.0.0.9","port":80,"later":[1]}"#,
    )
    .await;
    let client = dial(&format!("zk://{}/x", server.endpoint())).await;
    let registration = client.register(instance("good")).await.expect("registers");
    let view = client.list(&api()).await.expect("lists");
    let ids: BTreeSet<&str> = view.iter().map(|service| service.id().as_str()).collect();
    assert_eq!(ids, BTreeSet::from(["foreign", "good"]));
    assert_eq!(view.unreadable(), odd.len() + 1);
    let mut follower = Follower::start(&*client, &api()).await;
    put(&observer, "/x/api/late", b"[]").await;
    put(&observer, "/x/api/last", br#"{"name":"api","id":"last","address":"10.0.0.9","port":80}"#).await;
    follower.until("the last one", |follower| follower.ids().contains("last")).await;
    assert!(!follower.ids().contains("late"));
    drop(registration);
    client.close().await.expect("closes");
}

/// B23 to B25: twice is no different from once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_twice_or_too_late_is_told() {
    let server = ZooKeeper::start().await.expect("a server");
    let proxy = Proxy::start(server.endpoint()).await.expect("a proxy");
    let client = dial(&format!("zk://{}/x?ttl=3s&timeout=1s", proxy.endpoint())).await;
    let registration = client.register(instance("i")).await.expect("registers");
    let twice = client.register(instance("i")).await.expect_err("twice");
    assert_eq!(twice.kind(), ErrorKind::Conflict, "{twice}");

    let elector = client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
    elector.cancel().await.expect("nothing to cancel");
    let leadership = elector.elect(instance("i")).await.expect("elected");
    assert_eq!(elector.elect(instance("i")).await.expect_err("it stands").kind(), ErrorKind::Conflict);
    drop(timeout(Duration::from_millis(200), elector.elect(instance("j"))).await);
    elector.cancel().await.expect("cancels");
    elector.cancel().await.expect("and again");
    assert!(leadership.is_held());
    assert_eq!(elector.candidates().await.expect("lists").len(), 1, "who was dropped does not stand");
    leadership.resign().await.expect("resigns");

    proxy.cut().await.expect("a cut");
    let late = patiently("update", registration.update(instance("i"))).await.expect_err("the store is away");
    assert!(matches!(late.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{late}");
    let ended = timeout(Duration::from_secs(20), client.close()).await.expect("close does not hang");
    assert!(ended.is_err(), "a close that reached nobody says so");
    assert_eq!(registration.update(instance("i")).await.expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(client.list(&api()).await.expect_err("closed").kind(), ErrorKind::Closed);
    let _ = timeout(Duration::from_secs(20), client.close()).await.expect("nor does a second one");
}

/// B26: nothing is there, and nothing is made there by looking.
#[tokio::test]
async fn a_watch_of_an_unknown_service_is_empty_and_then_live() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&format!("zk://{}/x", server.endpoint())).await;
    let observer = direct(&server).await;
    assert!(client.list(&api()).await.expect("lists").is_empty());
    let mut follower = Follower::start(&*client, &api()).await;
    assert!(follower.ids().is_empty());
    assert_eq!(observer.check_stat("/x").await.expect("looks"), None, "nobody asked for a folder");
    let registration = client.register(instance("i")).await.expect("registers");
    follower.until("the first instance", |follower| follower.ids().contains("i")).await;
    drop(registration);
    follower.until("its end", |follower| follower.ids().is_empty()).await;
    client.close().await.expect("closes");
}

/// B27.
#[test]
fn without_a_runtime_every_call_says_so() {
    let error = futures_util::FutureExt::now_or_never(reception::dial("zk://127.0.0.1:1"))
        .expect("answers at once")
        .expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    let home = tokio::runtime::Runtime::new().expect("a runtime");
    let client: Arc<dyn Client> = home.block_on(dial("zk://127.0.0.1:1?timeout=1s"));
    home.shutdown_timeout(Duration::from_secs(5));
    let other = tokio::runtime::Runtime::new().expect("a runtime");
    let error = other.block_on(client.list(&api())).expect_err("its runtime is gone");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    let error = other.block_on(client.register(instance("j"))).expect_err("its runtime is gone");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}
