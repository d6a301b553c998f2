//! What this library costs an agent, counted in front of it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests panic")]

use std::{fmt::Display, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use reception_core::{Client, ClientExt, Dialer, Registration, Service, ServiceName, Snapshot, Watcher};
use reception_lab::{Consul, Proxy, ProxyOptions};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

const SOON: Duration = Duration::from_secs(120);
const TTL: Duration = Duration::from_secs(4);
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

async fn dial(endpoint: impl Display) -> Arc<dyn Client> {
    let dialer = Dialer::new().with(reception_consul::BACKEND).unwrap();
    dialer.dial(&format!("consul://{endpoint}?ttl={}s&timeout=30s", TTL.as_secs())).await.unwrap()
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
    assert!(passes >= 3, "nobody passes the check");
    assert!(passes as f64 <= halves + 1.0, "{passes} passes in {halves:.1} halves of a ttl");
    // The comparison with the catalog comes besides, every 10 s, and the look for failed checks.
    assert!(all <= passes + 4, "{all} requests, {passes} of them passes");
    let view = client.list(&api()).await.unwrap();
    assert_eq!(view.len(), REGISTRATIONS);
    drop(guards);
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
        assert!(bytes * 10 <= plain, "{bytes} bytes of {plain} for one change");
    }
    client.close().await.unwrap();
}
