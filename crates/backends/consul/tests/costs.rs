//! What this library costs an agent, counted in front of it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests panic")]

use std::{fmt::Display, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use reception_core::{
    Client, ClientExt, Dialer, ElectionName, Registration, Service, ServiceName, Snapshot, Watcher,
};
use reception_lab::{Consul, ConsulOptions, Flow, Proxy, ProxyOptions, Way};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

const SOON: Duration = Duration::from_secs(120);
const TTL: Duration = Duration::from_secs(4);
const ELECTION_TTL: Duration = Duration::from_secs(2);
const REGISTRATIONS: usize = 1000;
const LARGE: usize = 10_000;

struct Stage {
    consul: Consul,
    proxy: Proxy,
}

impl Stage {
    async fn new() -> Self {
        let consul = Consul::start().await.unwrap();
        let proxy = Proxy::start_with(consul.endpoint(), ProxyOptions::default().http1(true)).await.unwrap();
        Self { consul, proxy }
    }

    /// What was asked so far and begins like this.
    fn asked(&self, begins: &str) -> usize {
        self.proxy.asked().iter().filter(|asked| asked.starts_with(begins)).count()
    }

    /// Writes foreign instances in transactions of the catalog, where the agent's own repair does not look: they belong to another node.
    async fn fill(&self, numbers: std::ops::Range<usize>) {
        for page in numbers.collect::<Vec<_>>().chunks(64) {
            let service = |number: &usize| {
                json!({ "Service": { "Verb": "set", "Node": "elsewhere", "Service": {
                    "ID": format!("api-{number}"), "Service": "api", "Address": "10.0.0.9", "Port": 9000,
                    "Meta": { "zone": "a", "version": "1.4.2" } } } })
            };
            let node =
                json!({ "Node": { "Verb": "set", "Node": { "Node": "elsewhere", "Address": "10.0.0.9" } } });
            let mut steps = vec![node];
            steps.extend(page.iter().take(63).map(service));
            let rest: Vec<_> = page.iter().skip(63).map(service).collect();
            for body in [steps, rest].into_iter().filter(|steps| !steps.is_empty()) {
                let body = serde_json::Value::Array(body).to_string();
                self.consul.api().put("/v1/txn", &body).await.unwrap();
            }
        }
    }
}

/// Everything that the agent has of clients, as `id name`.
async fn services(consul: &Consul) -> Vec<String> {
    let told = consul.api().get("/v1/agent/services").await.unwrap().body;
    let services: serde_json::Value = serde_json::from_str(&told).unwrap();
    let services = services.as_object().unwrap().iter();
    services.map(|(id, service)| format!("{id} {}", service["Service"].as_str().unwrap())).collect()
}

/// The checks of nodes but for the agent's own.
async fn node_checks(consul: &Consul) -> usize {
    let told = consul.api().get("/v1/agent/checks").await.unwrap().body;
    let checks: serde_json::Value = serde_json::from_str(&told).unwrap();
    checks.as_object().unwrap().values().filter(|check| check["ServiceID"] == "").count()
}

async fn dial(endpoint: impl Display) -> Arc<dyn Client> {
    let dialer = Dialer::new().with(reception_consul::BACKEND).unwrap();
    let (ttl, election_ttl) = (TTL.as_secs(), ELECTION_TTL.as_secs());
    let url = format!("consul://{endpoint}?ttl={ttl}s&election_ttl={election_ttl}s&timeout=30s");
    dialer.dial(&url).await.unwrap()
}

async fn names(client: &Arc<dyn Client>) -> Vec<String> {
    client.names().await.unwrap().iter().map(ToString::to_string).collect()
}

fn election() -> ElectionName {
    ElectionName::new("reaper").unwrap()
}

fn api() -> ServiceName {
    ServiceName::new("api").unwrap()
}

fn instance(number: usize) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(&format!("i{number:04}")).build().unwrap()
}

async fn until(watcher: &mut Box<dyn Watcher>, fits: impl Fn(&Snapshot) -> bool) {
    while !watcher.current().is_some_and(&fits) {
        let item = timeout(SOON, poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx)));
        item.await.expect("an item in time").expect("the watch goes on").expect("the watch is well");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_registrations_cost_one_pass_in_half_a_ttl() {
    let stage = Stage::new().await;
    let client = dial(stage.proxy.endpoint()).await;
    let each = stream::iter((0..REGISTRATIONS).map(|number| client.register(instance(number))));
    let guards: Vec<Registration> = each.buffer_unordered(32).try_collect().await.unwrap();
    let (passes, all) = (stage.asked("PUT /v1/agent/check/"), stage.proxy.asked().len());
    let begun = Instant::now();
    sleep(TTL * 3).await;
    let halves = begun.elapsed().as_secs_f64() / (TTL.as_secs_f64() / 2.0);
    let (passes, all) = (stage.asked("PUT /v1/agent/check/") - passes, stage.proxy.asked().len() - all);
    println!("counted: {passes} passes, {all} requests in {halves:.1} halves of a ttl");
    assert!(passes >= 3, "nobody passes the check");
    assert!(passes as f64 <= halves + 1.0, "{passes} passes in {halves:.1} halves of a ttl");
    // The comparison with the catalog comes besides, every 10 s, and the look for failed checks.
    assert!(all <= passes + 4, "{all} requests, {passes} of them passes");
    let view = client.list(&api()).await.unwrap();
    assert_eq!(view.len(), REGISTRATIONS);
    drop(guards);
    client.close().await.unwrap();
}

/// An agent takes 200 connections of one address as it comes, and this one fewer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_one_moment_share_a_bounded_number_of_connections() {
    const CALLS: usize = 600;
    let few = ConsulOptions::default().fragment("limits { http_max_conns_per_client = 100 }");
    let consul = Consul::start_with(few).await.unwrap();
    let proxy = Proxy::start(consul.endpoint()).await.unwrap();
    proxy.set(Way::ToClient, Flow::Delay { base: Duration::from_millis(100), jitter: Duration::ZERO });
    let client = dial(proxy.endpoint()).await;
    let one = client.register(instance(1)).await.unwrap();
    let mut watcher = client.watch(&api()).await.unwrap();
    until(&mut watcher, |view| view.len() == 1).await;
    let name = api();
    let calls = (0..CALLS).map(|_| client.list(&name));
    let views = futures_util::future::join_all(calls).await;
    let failed: Vec<_> = views.iter().filter_map(|view| view.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} of {CALLS} failed, first {:?}", failed.len(), failed[0]);
    let news = timeout(Duration::from_secs(1), poll_fn(|cx| Pin::new(&mut watcher).poll_next(cx))).await;
    assert!(news.is_err(), "{news:?}");
    one.close().await.unwrap();
    client.close().await.unwrap();
}

/// Calls of every kind, one after the other, share what is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_one_after_the_other_share_a_connection() {
    const CALLS: usize = 20;
    let stage = Stage::new().await;
    let client = dial(stage.proxy.endpoint()).await;
    client.list(&api()).await.unwrap();
    let (before, asked) = (stage.proxy.counts(), stage.proxy.asked().len());
    for number in 0..CALLS {
        client.list(&api()).await.unwrap();
        client.names().await.unwrap();
        client.register(instance(number)).await.unwrap().close().await.unwrap();
    }
    let (since, asked) = (stage.proxy.counts().since(&before), stage.proxy.asked().len() - asked);
    println!("counted: {asked} requests over {} new connections", since.connections);
    assert!(asked >= CALLS * 4, "{asked} requests");
    // Two are kept while nothing is asked; a question that is held back has one of its own.
    assert!(since.connections <= 3, "{} connections for {asked} requests", since.connections);
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_among_ten_thousand_is_one_request_and_a_tenth_of_the_bytes() {
    let stage = Stage::new().await;
    stage.fill(0..LARGE).await;
    let plain = stage.consul.api().get("/v1/health/service/api").await.unwrap().body.len() as u64;
    let client = dial(stage.proxy.endpoint()).await;
    let mut watcher = client.watch(&api()).await.unwrap();
    until(&mut watcher, |view| view.len() == LARGE).await;
    for change in 0..3 {
        // The next question is there before the change is.
        let held = || async {
            let held = stage.proxy.waiting().iter().any(|asked| asked.contains("/v1/health/service/api"));
            if held { Ok(()) } else { Err("no question is held back") }
        };
        reception_lab::eventually(SOON, held).await.unwrap();
        let (asked, before) = (stage.asked("GET /v1/health/"), stage.proxy.counts());
        stage.fill(LARGE + change..LARGE + change + 1).await;
        until(&mut watcher, |view| view.len() == LARGE + change + 1).await;
        let bytes = stage.proxy.counts().since(&before).bytes_to_client;
        let asked = stage.asked("GET /v1/health/") - asked;
        assert!(asked <= 1, "a change costs {asked} requests");
        println!("counted: {asked} requests, {bytes} bytes; the list takes {plain}");
        assert!(bytes * 10 <= plain, "{bytes} bytes of {plain} for one change");
    }
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_registration_has_the_check_itself() {
    let stage = Stage::new().await;
    let client = dial(stage.proxy.endpoint()).await;
    let one = client.register(instance(1)).await.unwrap();
    assert_eq!(services(&stage.consul).await, ["api:i0001 api"]);
    let passes = stage.asked("PUT /v1/agent/check/");
    let begun = Instant::now();
    sleep(TTL * 2).await;
    let halves = begun.elapsed().as_secs_f64() / (TTL.as_secs_f64() / 2.0);
    let passes = stage.asked("PUT /v1/agent/check/") - passes;
    assert!(passes >= 2 && passes as f64 <= halves + 1.0, "{passes} passes in {halves:.1} halves of a ttl");
    let two = client.register(instance(2)).await.unwrap();
    let three = services(&stage.consul).await;
    assert_eq!(three.len(), 3, "{three:?}");
    assert_eq!(three.iter().filter(|service| service.ends_with("-anchor reception--session")).count(), 1);
    assert_eq!(names(&client).await, ["api", "consul"], "the service of the check is hidden");
    assert_eq!(node_checks(&stage.consul).await, 0);
    one.close().await.unwrap();
    two.close().await.unwrap();
    assert_eq!(services(&stage.consul).await, Vec::<String>::new());
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_of_elections_is_there_while_somebody_stands() {
    let stage = Stage::new().await;
    let (first, second) = (dial(stage.proxy.endpoint()).await, dial(stage.proxy.endpoint()).await);
    let electors = (first.elector(&election()).await.unwrap(), second.elector(&election()).await.unwrap());
    assert_eq!(services(&stage.consul).await, Vec::<String>::new(), "nobody stands");
    let leadership = electors.0.elect(instance(1)).await.unwrap();
    let standing = services(&stage.consul).await;
    assert!(standing.len() == 1 && standing[0].ends_with("-election reception--session"), "{standing:?}");
    assert_eq!(names(&first).await, ["consul"], "the service of the check is hidden");
    assert_eq!(node_checks(&stage.consul).await, 0);
    let mut waiting = Box::pin(electors.1.elect(instance(2)));
    assert!(timeout(TTL, &mut waiting).await.is_err(), "there is a leader");
    assert_eq!(services(&stage.consul).await.len(), 2);

    let passes = stage.asked("PUT /v1/agent/check/");
    let begun = Instant::now();
    assert!(timeout(ELECTION_TTL * 3, &mut waiting).await.is_err(), "there is a leader");
    let spans = begun.elapsed().as_secs_f64() / ELECTION_TTL.as_secs_f64();
    let passes = (stage.asked("PUT /v1/agent/check/") - passes) as f64;
    // The leader each quarter, the one that waits each half.
    assert!(passes <= spans * 6.0 + 2.0, "{passes} passes in {spans:.1} terms");
    leadership.resign().await.unwrap();
    let leadership = timeout(SOON, waiting).await.unwrap().unwrap();
    let standing = services(&stage.consul).await;
    assert_eq!(standing.len(), 1, "the one that resigned has left: {standing:?}");
    leadership.resign().await.unwrap();
    assert_eq!(services(&stage.consul).await, Vec::<String>::new());
    let before = stage.proxy.asked().len();
    sleep(ELECTION_TTL).await;
    let asked = stage.proxy.asked().split_off(before);
    assert!(!asked.iter().any(|asked| asked.starts_with("PUT ")), "nobody stands: {asked:?}");
    first.close().await.unwrap();
    second.close().await.unwrap();
}

/// Not judged, since it is a time; `docs/performance.md` has what was seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures processor time: by itself, in release, with --nocapture"]
async fn processor_time_of_a_change_among_ten_thousand() {
    const CHANGES: usize = 40;
    let stage = Stage::new().await;
    stage.fill(0..LARGE).await;
    let plain = stage.consul.api().get("/v1/health/service/api").await.unwrap().body;
    let client = dial(stage.consul.endpoint()).await;
    let mut watcher = client.watch(&api()).await.unwrap();
    until(&mut watcher, |view| view.len() == LARGE).await;
    let before = processor_time();
    for change in 0..CHANGES {
        stage.fill(LARGE + change..LARGE + change + 1).await;
        until(&mut watcher, |view| view.len() == LARGE + change + 1).await;
    }
    let change = (processor_time() - before) / CHANGES as u32;
    let mut parse = Duration::ZERO;
    for _ in 0..CHANGES {
        let before = processor_time();
        let parsed: serde_json::Value = serde_json::from_str(&plain).unwrap();
        // What it takes to forget it all again is not counted.
        parse += (processor_time() - before) / CHANGES as u32;
        drop(parsed);
    }
    let share = change.as_secs_f64() / parse.as_secs_f64();
    println!(
        "measured: {change:?} a change, all that the process does; {parse:?} to parse {} bytes: {share:.2}",
        plain.len()
    );
    assert!(share <= 0.3, "{share:.2} of the whole answer as generic JSON");
    client.close().await.unwrap();
}

/// Of all threads of this process that still run.
fn processor_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let spent = threads.filter_map(|thread| {
        let told = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        told.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}
