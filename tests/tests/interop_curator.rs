//! A program on Apache Curator and this library see each other's instances and contend for one election.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod curator;

use std::{fs, io::ErrorKind, time::Duration};

use curator::Curator;
use futures_util::{StreamExt as _, pin_mut};
use reception::{Change, ClientExt as _, ElectionName, Service, ServiceName, Snapshot, Status, Watcher};
use reception_lab::ZooKeeper;
use reception_tests::{PATIENCE, dial, patiently};
use tokio::time::timeout;

const ROUNDS: usize = 15;

fn api() -> ServiceName {
    "api".parse().expect("a name")
}

fn reaper() -> ElectionName {
    "reaper".parse().expect("a name")
}

fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().expect("valid")
}

async fn until(watcher: &mut Box<dyn Watcher>, what: &str, fits: impl Fn(&Snapshot) -> bool + Send + Sync) {
    let seen = timeout(PATIENCE, async {
        while !watcher.current().is_some_and(&fits) {
            let item = watcher.next().await.expect("the watch goes on").expect("the watch is well");
            assert!(!matches!(item, Change::Stale(_)), "the link was not touched: {item:?}");
        }
    });
    assert!(seen.await.is_ok(), "{what}: {:?}", watcher.current());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curator_reads_what_we_write_and_its_cache_follows_us() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&format!("zk://{}/prod?ttl=5s", server.endpoint())).await;
    let full = instance("ours")
        .to_builder()
        .attribute("zone", "eu-1a")
        .attribute("ssl-port", "8443")
        .attribute("uri-spec", "{scheme}://{address}:{port}/v1")
        .build()
        .expect("valid");
    let registration = patiently("register", client.register(full.clone())).await.expect("registers");
    let mut curator = Curator::start(server.endpoint(), "/prod");
    curator.send("query api");
    let told = "query ours,10.0.0.7:8080,8443,https://10.0.0.7:8080/v1,{zone=eu-1a},enabled";
    assert_eq!(curator.line(), told);
    curator.send("cache api");
    curator.until("cache ours:8080");

    let second = patiently("register", client.register(instance("second"))).await.expect("registers");
    curator.until("cache ours:8080,second:8080");
    let moved = full.to_builder().status(Status::Draining).build().expect("valid");
    patiently("update", registration.update(moved)).await.expect("updates");
    curator.send("query api");
    curator.until_with(|line| line.starts_with("query ours,") && line.contains(",disabled"));
    patiently("close", second.close()).await.expect("closes");
    curator.until("cache ours:8080");
    patiently("close", registration.close()).await.expect("closes");
    curator.until("cache ");
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_read_what_curator_writes_and_our_watch_follows_it() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&format!("zk://{}/prod?ttl=5s", server.endpoint())).await;
    let mut watcher = client.watch(&api()).await.expect("a watch");
    until(&mut watcher, "nobody", Snapshot::is_empty).await;

    let mut curator = Curator::start(server.endpoint(), "/prod");
    curator.send("register api java-1 10.0.0.9 9000 zone=b weight=2");
    curator.until("registered java-1");
    until(&mut watcher, "Curator's instance", |view| view.get("java-1").is_some()).await;
    let view = patiently("list", client.list(&api())).await.expect("lists");
    let theirs = view.get("java-1").expect("it is listed");
    let port = theirs.port().map(std::num::NonZeroU16::get);
    assert_eq!((theirs.address(), port, theirs.status()), ("10.0.0.9", Some(9000), Status::Up));
    assert_eq!((theirs.attribute("zone"), theirs.attribute("weight")), (Some("b"), Some("2")));
    assert!(theirs.attribute("registered-at").is_some());
    assert_eq!(view.unreadable(), 0);
    assert!(patiently("names", client.names()).await.expect("names").contains(&api()));

    let taken = client.register(instance("java-1"));
    let refused = timeout(PATIENCE, taken).await.expect("answers in time").expect_err("the id has an owner");
    assert_eq!(refused.kind(), reception::ErrorKind::Conflict);
    curator.send("unregister java-1");
    curator.until("unregistered java-1");
    until(&mut watcher, "nobody again", Snapshot::is_empty).await;
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_two_lead_when_curator_contends() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&format!("zk://{}/prod?ttl=5s", server.endpoint())).await;
    let elector = client.elector(&reaper()).await.expect("an elector");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("leader");
    let mut curator = Curator::start(server.endpoint(), "/prod");

    // In line behind us, and seen there by both.
    let first = patiently("elect", elector.elect(instance("ours"))).await.expect("elected");
    curator.send(&format!("contend /prod-elections/reaper theirs {ROUNDS} {}", file.display()));
    let second = timeout(PATIENCE, async {
        loop {
            let line = elector.candidates().await.expect("candidates");
            if line.len() == 2 {
                return line;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let line = second.await.expect("Curator stands");
    assert_eq!(line[0].service().map(|service| service.id().as_str()), Some("ours"));
    assert_eq!((line[1].service(), line[1].value()), (None, &b"theirs"[..]));
    curator.send("participants /prod-elections/reaper");
    curator.until_with(|line| line.starts_with("participants leader {") && line.ends_with("waits theirs"));
    let mut last = first.token();
    patiently("resign", first.resign()).await.expect("resigns");

    for round in 0..ROUNDS {
        let standing = elector.elect(instance("ours"));
        pin_mut!(standing);
        let leadership = patiently("elect", standing).await.expect("elected");
        assert!(leadership.token() > last, "round {round}: the token did not grow");
        last = leadership.token();
        match fs::File::options().write(true).create_new(true).open(&file) {
            Err(wrong) if wrong.kind() == ErrorKind::AlreadyExists => panic!("round {round}: two lead"),
            made => drop(made.expect("a file")),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(leadership.is_held());
        fs::remove_file(&file).expect("removed");
        patiently("resign", leadership.resign()).await.expect("resigns");
    }
    curator.until_with(|line| {
        assert!(!line.starts_with("two") && !line.starts_with("failed"), "{line}");
        line == "done"
    });
    client.close().await.expect("closes");
}
