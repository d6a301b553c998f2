//! What this library costs the server, counted in front of it and by it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests panic")]

use std::{collections::BTreeSet, fmt::Display, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, future::try_join_all};
use reception_core::{
    Change, Client, ClientExt, Dialer, Elector, RegistrationState, Service, ServiceName, Snapshot, Watcher,
};
use reception_lab::{Proxy, ProxyOptions, ZooKeeper, eventually};
use zookeeper_client as zk;

const SOON: Duration = Duration::from_secs(30);
const CHANGES: usize = 20;
/// The requests of a watch that starts on 10,000 instances; Curator makes 20,007.
const START: u64 = 25;
/// The requests after a broken link, with 100 registrations; Curator makes 504.
const MENDED: u64 = 5;
/// A ping or two may fall into what the server counts.
const PINGS: u64 = 2;

struct Stage {
    zookeeper: ZooKeeper,
    proxy: Proxy,
    operator: zk::Client,
}

impl Stage {
    async fn new() -> Self {
        let zookeeper = ZooKeeper::start().await.unwrap();
        let proxy = Proxy::start_with(zookeeper.endpoint(), ProxyOptions::default().jute(true)).await;
        let operator = zk::Client::connector().with_session_timeout(Duration::from_secs(60));
        let operator = operator.connect(&zookeeper.endpoint().to_string()).await.unwrap();
        Self { zookeeper, proxy: proxy.unwrap(), operator }
    }

    /// Requests that clients behind the proxy have sent, pings left out.
    fn sent(&self) -> u64 {
        self.proxy.counts().requests
    }

    /// What was sent, once nothing more is.
    async fn quiet(&self) -> u64 {
        let (mut sent, mut before) = (self.sent(), None);
        while before != Some(sent) {
            before = Some(sent);
            tokio::time::sleep(Duration::from_millis(300)).await;
            sent = self.sent();
        }
        sent
    }

    /// What the server has received on the connections of others than the operator, pings and all.
    async fn received(&self) -> u64 {
        let told = self.zookeeper.word("cons").await.unwrap();
        let own = format!("sid={:#x}", self.operator.session_id().0);
        let others = told.lines().filter(|line| line.contains("sid=0x") && !line.contains(&own));
        let received =
            others.filter_map(|line| line.split("recved=").nth(1)?.split(',').next()?.parse::<u64>().ok());
        received.sum()
    }

    async fn fill(&self, count: usize) {
        let options = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
        self.operator.mkdir("/costs/api", &options).await.unwrap();
        for page in (0..count).collect::<Vec<_>>().chunks(500) {
            try_join_all(page.iter().map(|number| self.put(format!("i{number:05}")))).await.unwrap();
        }
    }

    async fn put(&self, id: String) -> Result<(), zk::Error> {
        let options = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
        let record = format!(r#"{{"name":"api","id":"{id}","address":"10.0.0.9","port":9000}}"#);
        self.operator.create(&format!("/costs/api/{id}"), record.as_bytes(), &options).await.map(drop)
    }

    async fn remove(&self, id: &str) {
        self.operator.delete(&format!("/costs/api/{id}"), None).await.unwrap();
    }
}

async fn dial(endpoint: impl Display) -> Arc<dyn Client> {
    let dialer = Dialer::new().with(reception_zookeeper::BACKEND).unwrap();
    // A session so long that few pings are sent.
    dialer.dial(&format!("zk://{endpoint}/costs?ttl=60s&timeout=20s")).await.unwrap()
}

fn api() -> ServiceName {
    ServiceName::new("api").unwrap()
}

async fn next(watcher: &mut Box<dyn Watcher>) -> Change {
    let item = tokio::time::timeout(SOON, poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx)));
    item.await.expect("an item in time").expect("the watch goes on").expect("the watch is well")
}

async fn until(watcher: &mut Box<dyn Watcher>, fits: impl Fn(&Snapshot) -> bool) {
    while !watcher.current().is_some_and(&fits) {
        next(watcher).await;
    }
}

async fn changes_cost(count: usize) {
    let stage = Stage::new().await;
    stage.fill(count).await;
    let client = dial(stage.proxy.endpoint()).await;
    // The session is made before anything is counted.
    client.probe().await.unwrap();
    let begun = stage.sent();
    let mut watcher = client.watch(&api()).await.unwrap();
    until(&mut watcher, |view| view.len() == count).await;
    let start = stage.sent() - begun;
    assert!(start <= START, "a watch on {count} instances starts with {start} requests");

    let (sent, received) = (stage.sent(), stage.received().await);
    for number in 0..CHANGES {
        stage.put(format!("new-{number}")).await.unwrap();
        until(&mut watcher, |view| view.len() == count + number + 1).await;
    }
    assert_eq!(stage.sent() - sent, CHANGES as u64, "an added instance at {count} costs one request");
    let told = stage.received().await - received;
    assert!((CHANGES as u64..=CHANGES as u64 + PINGS).contains(&told), "the server received {told}");

    let (sent, received) = (stage.sent(), stage.received().await);
    for number in 0..CHANGES {
        stage.remove(&format!("new-{number}")).await;
        until(&mut watcher, |view| view.len() == count + CHANGES - number - 1).await;
    }
    assert_eq!(stage.sent() - sent, 0, "a removed instance at {count} costs nothing");
    let told = stage.received().await - received;
    assert!(told <= PINGS, "the server received {told}");
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_costs_one_request_or_none_in_a_small_service() {
    changes_cost(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_costs_one_request_or_none_in_a_large_service_too() {
    changes_cost(10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_link_costs_five_requests_for_a_hundred_registrations_and_nobody_sees_it() {
    let stage = Stage::new().await;
    let (owner, reader) = (dial(stage.proxy.endpoint()).await, dial(stage.zookeeper.endpoint()).await);
    let mut services = Vec::new();
    for number in 0..100 {
        services
            .push(Service::builder("api", "10.0.0.7", 8080).id(&format!("i{number:03}")).build().unwrap());
    }
    let guards = try_join_all(services.into_iter().map(|service| owner.register(service))).await.unwrap();
    let mut own = owner.watch(&api()).await.unwrap();
    until(&mut own, |view| view.len() == 100).await;
    let mut watcher = reader.watch(&api()).await.unwrap();
    until(&mut watcher, |view| view.len() == 100).await;

    let sent = stage.sent();
    stage.proxy.reset().await.unwrap();
    // Once stale, then the same view again.
    while !matches!(next(&mut own).await, Change::Reset(_)) {}
    assert_eq!(own.current().map(Snapshot::len), Some(100));
    eventually(SOON, || async {
        let states: Vec<_> = guards.iter().map(reception_core::Registration::state).collect();
        let doubtful = states.iter().filter(|state| !matches!(state, RegistrationState::Active)).count();
        if doubtful == 0 { Ok(()) } else { Err(format!("{doubtful} are not active")) }
    })
    .await
    .unwrap();
    let cost = stage.sent() - sent;
    assert!(cost <= MENDED, "a broken link costs {cost} requests");

    // A change that comes after everything else: whatever the break had caused would have come before it.
    stage.put("last".to_owned()).await.unwrap();
    let mut seen = BTreeSet::new();
    while !seen.contains("last") {
        let Change::Patch(patch) = next(&mut watcher).await else {
            panic!("the reader's link was not touched")
        };
        assert!(patch.removed().is_empty(), "{patch:?}");
        seen.extend(patch.upserted().iter().map(|service| service.id().to_string()));
    }
    assert_eq!(seen.len(), 1, "the break was seen by others: {seen:?}");
    owner.close().await.unwrap();
    reader.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_win_costs_three_requests_once_its_folders_are_there() {
    let stage = Stage::new().await;
    let client = dial(stage.proxy.endpoint()).await;
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let candidate = || Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let mut costs = Vec::new();
    for _ in 0..3 {
        let sent = stage.sent();
        let leadership = elector.elect(candidate()).await.unwrap();
        costs.push(stage.quiet().await - sent);
        leadership.resign().await.unwrap();
    }
    // The folders and the domain are made by the first: eight more.
    assert_eq!(costs, [11, 3, 3], "a node, a watch on it, a look at the line");
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resignation_costs_two_requests_however_many_stand() {
    const CANDIDATES: usize = 20;
    let stage = Stage::new().await;
    let (mut electors, mut clients) = (Vec::new(), Vec::new());
    for _ in 0..CANDIDATES {
        let client = dial(stage.proxy.endpoint()).await;
        electors.push(Arc::<dyn Elector>::from(client.elector(&"reaper".parse().unwrap()).await.unwrap()));
        clients.push(client);
    }
    let candidate =
        |number: usize| Service::builder("api", "10.0.0.7", 8080).id(&format!("i{number}")).build();
    let leadership = electors[0].elect(candidate(0).unwrap()).await.unwrap();
    let mut others = tokio::task::JoinSet::new();
    for (number, elector) in electors.iter().enumerate().skip(1) {
        let (elector, candidate) = (Arc::clone(elector), candidate(number).unwrap());
        others.spawn(async move { elector.elect(candidate).await });
        eventually(SOON, || async {
            let standing = electors[0].candidates().await.map_or(0, |candidates| candidates.len());
            if standing == number + 1 { Ok(()) } else { Err(standing) }
        })
        .await
        .unwrap();
    }
    // The last one looks at the line, and then at who is before it.
    stage.quiet().await;
    // A leader reads its node every third of the session: not while this is counted.
    let granted = clients[0].probe().await.unwrap().lease.unwrap();
    while leadership.tenure().remaining() < granted * 2 / 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sent = stage.sent();
    leadership.resign().await.unwrap();
    let next = others.join_next().await.unwrap().unwrap().unwrap();
    assert!(next.is_held());
    let cost = stage.quiet().await - sent;
    assert_eq!(cost, 2, "the leader leaves, the next one looks");
    others.shutdown().await;
    drop(next);
    for client in clients {
        client.close().await.unwrap();
    }
}
