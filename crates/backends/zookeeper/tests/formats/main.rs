//! The layouts of other programs on a real server, with nodes as those programs leave them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::expect_used, reason = "a test may panic")]

mod go;
mod serversets;
mod slacker;

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use reception_core::{Client, Dialer, ListOptions, ServiceName, Snapshot, WatchOptions, Watcher};
use reception_lab::ZooKeeper;
use zookeeper_client as zk;

const SOON: Duration = Duration::from_secs(20);
/// What Go's protected nodes begin with.
const MARK: &str = "_c_6c8b0f4e1d2a49b79d3e5f60718293a4";

/// A server, and another program on it.
struct Stage {
    zookeeper: ZooKeeper,
    other: zk::Client,
}

impl Stage {
    async fn new() -> Self {
        let zookeeper = ZooKeeper::start().await.unwrap();
        let other = program(&zookeeper).await;
        Self { zookeeper, other }
    }

    async fn dial(&self, rest: &str) -> Arc<dyn Client> {
        let url = format!("zk://{}/{rest}&ttl=4s&timeout=5s", self.zookeeper.endpoint());
        Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap()
    }

    async fn put(&self, path: &str, data: &[u8]) {
        let options = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
        self.other.mkdir(path.rsplit_once('/').unwrap().0, &options).await.unwrap();
        match self.other.create(path, data, &options).await {
            Err(zk::Error::NodeExists) => drop(self.other.set_data(path, data, None).await.unwrap()),
            made => drop(made.unwrap()),
        }
    }

    async fn remove(&self, path: &str) {
        self.other.delete(path, None).await.unwrap();
    }
}

/// A session of another program.
async fn program(zookeeper: &ZooKeeper) -> zk::Client {
    let connector = zk::Client::connector().with_session_timeout(Duration::from_secs(30));
    connector.connect(&zookeeper.endpoint().to_string()).await.unwrap()
}

fn name(text: &str) -> ServiceName {
    ServiceName::foreign(text).unwrap()
}

/// Each instance of a view as a line.
fn lines(view: &Snapshot) -> Vec<String> {
    let line = |service: &reception_core::Service| {
        let port = service.port().map_or(0, std::num::NonZeroU16::get);
        format!("{} {}:{port} {:?}", service.id(), service.address(), service.status())
    };
    view.iter().map(line).collect()
}

async fn list(client: &Arc<dyn Client>, of: &str) -> Snapshot {
    client.list_with(&name(of), ListOptions::default().any_status(true)).await.unwrap()
}

async fn watch(client: &Arc<dyn Client>, of: &str) -> Box<dyn Watcher> {
    client.watch_with(&name(of), WatchOptions::default().any_status(true)).await.unwrap()
}

async fn until(watcher: &mut Box<dyn Watcher>, what: &str, fits: impl Fn(&Snapshot) -> bool) {
    while !watcher.current().is_some_and(&fits) {
        let next = tokio::time::timeout(SOON, poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx))).await;
        let next = next.unwrap_or_else(|_| panic!("not in time: {what}; {:?}", watcher.current()));
        next.expect("the watch goes on").expect("the watch is well");
    }
}

#[tokio::test]
async fn odd_children_are_skipped_and_counted_in_every_layout() {
    let stage = Stage::new().await;
    let member: &[u8] =
        br#"{"serviceEndpoint":{"host":"h1","port":80},"additionalEndpoints":{},"status":"ALIVE"}"#;
    let record: &[u8] = br#"{"address":"h1","port":80}"#;
    let numbers = ["", "-000000001", "-000000001x", "-00000000012", "--000000012", "-9999999999"];
    let odd = |before: &str| numbers.map(|number| format!("{before}{number}")).to_vec();
    let table = [
        ("curator?layout=curator", "/curator/api", "i-1".to_owned(), record, odd("_c_x")),
        (
            "serverset?layout=serverset",
            "/serverset/api",
            "member_0000000001".to_owned(),
            member,
            odd("member"),
        ),
        ("env?layout=discovery", "/discovery/env/api", "member_0000000001".to_owned(), member, odd("member")),
        ("go?layout=reception", "/go/api", format!("{MARK}-i-1-0000000001"), record, odd(MARK)),
        ("c?layout=slacker", "/slacker/cluster/c/namespaces/api", "h1:80".to_owned(), b"", odd("h1")),
    ];
    stage.put("/slacker/cluster/c/servers/h1:80", b"nil").await;
    for (url, folder, good, bytes, odd) in table {
        let client = stage.dial(url).await;
        stage.put(&format!("{folder}/{good}"), bytes).await;
        let mut watcher = watch(&client, "api").await;
        until(&mut watcher, url, |view| view.len() == 1 && view.unreadable() == 0).await;
        for child in &odd {
            // What has no record is none where every name can be an id.
            stage.put(&format!("{folder}/{child}"), b"").await;
        }
        until(&mut watcher, url, |view| view.len() == 1 && view.unreadable() == odd.len()).await;
        let listed = list(&client, "api").await;
        assert_eq!((listed.len(), listed.unreadable()), (1, odd.len()), "{url}");
        let mut late = watch(&client, "api").await;
        until(&mut late, url, |view| view.len() == 1 && view.unreadable() == odd.len()).await;
        stage.remove(&format!("{folder}/{}", odd[0])).await;
        until(&mut watcher, url, |view| view.len() == 1 && view.unreadable() == odd.len() - 1).await;
        client.close().await.unwrap();
    }
}
