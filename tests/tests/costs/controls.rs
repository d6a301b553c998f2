//! Clients written the naive way, counted like ours: each must break the bound that it is made against. Where no other test counts
//! ours at the same size, it is counted here.

use std::{sync::Arc, time::Duration};

use etcd_client::{Client, GetOptions, PutOptions, WatchOptions, WatchStream};
use futures_util::future::{join_all, try_join_all};
use reception::{ClientExt as _, Registration};
use reception_lab::Proxy;
use reception_tests::{PATIENCE, patiently};
use tokio::time::timeout;

use crate::{
    bounds,
    reader::Reader,
    stage::{self, Bill, NAMESPACE, Stage, instance, key, name, record, revision},
};

async fn bare(way: &Proxy) -> Client {
    Client::connect([way.endpoint().to_string()], None).await.expect("connects")
}

/// A client of ours with as many registrations.
async fn ours(way: &Proxy, many: u64, options: &str) -> (Arc<dyn reception::Client>, Vec<Registration>) {
    let client = stage::client(way, options).await;
    let guards = try_join_all((0..many as usize).map(|number| client.register(instance(number)))).await;
    (client, guards.expect("registers"))
}

async fn follow(client: &Client, prefix: &str) -> WatchStream {
    let options = WatchOptions::new().with_prefix();
    client.watch_client().watch(prefix, Some(options)).await.expect("watches")
}

/// Waits until the stream tells something, of this revision at least.
async fn told(stream: &mut WatchStream, wanted: u64) {
    loop {
        let told = timeout(PATIENCE, stream.message()).await.expect("in time").expect("no error");
        let told = told.expect("a stream that goes on");
        if !told.events().is_empty() && revision(told.header()) >= wanted {
            return;
        }
    }
}

async fn list(client: &Client, prefix: &str) -> usize {
    let options = GetOptions::new().with_prefix();
    client.kv_client().get(prefix, Some(options)).await.expect("reads").kvs().len()
}

/// Reads the whole service after each change, as reception and go-kit do.
async fn lists_after_each_change(stage: &Stage, service: &str, size: usize) -> Bill {
    stage.seed(service, size).await;
    let way = stage.way().await;
    let client = bare(&way).await;
    let prefix = format!("{NAMESPACE}/services/{service}/");
    let mut stream = follow(&client, &prefix).await;
    let before = stage.mark(&way).await;
    let read = async |revision| {
        told(&mut stream, revision).await;
        list(&client, &prefix).await;
    };
    let changes = stage.churn(service, 10, read).await;
    stage.bill(&way, &before, changes).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_lists_after_each_change_is_caught() {
    let stage = Stage::start().await;
    stage.grow_old().await;
    let small = lists_after_each_change(&stage, "small", 10).await;
    let large = lists_after_each_change(&stage, "large", 1000).await;
    println!("counted: control, a list after each change, 10: {small}");
    println!("counted: control, a list after each change, 1,000: {large}");
    assert_eq!((small.requests, small.events), (30, 30));
    bounds::no_request(&small).expect_err("a request each");
    bounds::same_bytes(&small, &large).expect_err("bytes grow with the service");
    bounds::at_most(&large, &small).expect_err("bytes grow with the service");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_each_have_a_watch_are_caught() {
    const MANY: usize = 50;
    let stage = Stage::start().await;
    stage.grow_old().await;
    let way = stage.way().await;
    let client = bare(&way).await;
    let prefix = format!("{NAMESPACE}/services/api/");
    let mut bills = Vec::new();
    let mut streams = Vec::new();
    for count in [1, MANY] {
        while streams.len() < count {
            streams.push(follow(&client, &prefix).await);
        }
        let before = stage.mark(&way).await;
        let all = async |revision| {
            for stream in &mut streams {
                told(stream, revision).await;
            }
        };
        let changes = stage.churn("api", 5, all).await;
        bills.push(stage.bill(&way, &before, changes).await);
    }
    let [one, many] = &bills[..] else { panic!("two bills") };
    println!("counted: control, {MANY} watches: {} open, {many}", many.server.watches);
    drop((streams, client));
    let mut reader = Reader::start(&stage, "api", 0).await;
    reader.grow(MANY).await;
    let ours = reader.cost(&stage, 5).await;
    println!("counted: ours, {MANY} watchers: {} open, {ours}", ours.server.watches);
    bounds::one_watch(ours.server.watches).expect("one watch");
    bounds::at_most(&ours, one).expect("the bytes of one watch");
    assert_eq!(many.server.watches, MANY as u64);
    bounds::one_watch(one.server.watches).expect("one watch");
    bounds::one_watch(many.server.watches).expect_err("a watch each");
    bounds::at_most(many, one).expect_err("bytes grow with the readers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_that_each_have_a_lease_are_caught() {
    const MANY: u64 = 64;
    // As that of `idle.rs`.
    const WINDOW: Duration = Duration::from_secs(21);
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = bare(&way).await;
    let mut streams = Vec::new();
    for number in 0..MANY {
        let lease = client.lease_client().grant(10, None).await.expect("grants").id();
        let on_lease = PutOptions::new().with_lease(lease);
        let key = key("api", &format!("i{number}"));
        client.kv_client().put(key, record(0), Some(on_lease)).await.expect("puts");
        streams.push(client.lease_client().keep_alive(lease).await.expect("keeps"));
    }
    let beside = stage.way().await;
    let ours = ours(&beside, MANY, "ttl=10s").await;
    let (before, before_ours) = (stage.mark(&way).await, stage.mark(&beside).await);
    let renewing = streams.iter_mut().map(async |(keeper, answers)| {
        loop {
            tokio::time::sleep(Duration::from_secs(10) / 3).await;
            keeper.keep_alive().await.expect("renews");
            answers.message().await.expect("is answered");
        }
    });
    timeout(WINDOW, join_all(renewing)).await.expect_err("it goes on for ever");
    let naive = stage.bill(&way, &before, MANY).await;
    let bill = stage.bill(&beside, &before_ours, MANY).await;
    for (who, bill) in [("control, a lease each", &naive), ("ours", &bill)] {
        let (span, rate) = (bill.span, bill.requests_a_second());
        println!("counted: {who}, {MANY} registrations in {span:.1?}: {rate:.2} requests a second, {bill}");
    }
    assert!(naive.requests >= 5 * MANY);
    bounds::renewals(naive.requests, MANY, naive.span).expect_err("a renewal each");
    // A whole lease, whatever it is filled with.
    bounds::renewals(bill.requests, bounds::SHARD, bill.span).expect("one lease is renewed");
    drop(ours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_that_deletes_one_by_one_is_caught() {
    const MANY: u64 = 100;
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = bare(&way).await;
    stage.seed("api", MANY as usize).await;
    let before = stage.mark(&way).await;
    for number in 0..MANY {
        client.kv_client().delete(key("api", &format!("i{number:05}")), None).await.expect("deletes");
    }
    let bill = stage.bill(&way, &before, MANY).await;
    println!("counted: control, an exit one by one: {bill}");
    assert_eq!(stage.keys(NAMESPACE).await.len(), 0);
    bounds::clean_exit(&bill).expect_err("a request each");
    let beside = stage.way().await;
    let (client, guards) = ours(&beside, MANY, "ttl=60s").await;
    let before = stage.mark(&beside).await;
    patiently("close", client.close()).await.expect("closes");
    let bill = stage.bill(&beside, &before, MANY).await;
    println!("counted: ours, a close of {MANY}: {bill}");
    bounds::clean_exit(&bill).expect("one request");
    drop(guards);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_looks_first_and_a_list_one_by_one_are_caught() {
    const MANY: u64 = 20;
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = bare(&way).await;
    let mut kv = client.kv_client();
    let before = stage.mark(&way).await;
    for number in 0..MANY {
        let key = key("api", &format!("i{number:05}"));
        assert!(kv.get(key.as_str(), None).await.expect("reads").kvs().is_empty());
        kv.put(key, record(0), None).await.expect("puts");
    }
    let registered = stage.bill(&way, &before, MANY).await;
    let before = stage.mark(&way).await;
    for number in 0..MANY {
        kv.get(key("api", &format!("i{number:05}")), None).await.expect("reads");
    }
    let listed = stage.bill(&way, &before, 1).await;
    println!("counted: control, a look before each write: {registered}");
    println!("counted: control, a list one by one: {listed}");
    bounds::one_call_each(&registered).expect_err("two calls each");
    bounds::pages(listed.requests, MANY).expect_err("a request each");
    let beside = stage.way().await;
    let client = stage::client(&beside, "").await;
    let before = stage.mark(&beside).await;
    assert_eq!(patiently("list", client.list(&name("api"))).await.expect("lists").len(), MANY as usize);
    let bill = stage.bill(&beside, &before, 1).await;
    println!("counted: ours, a list of {MANY}: {bill}");
    bounds::pages(bill.requests, MANY).expect("one request");
}

/// Candidates that all wake and read when one leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_that_all_wake_are_caught() {
    const MANY: usize = 20;
    let stage = Stage::start().await;
    let way = stage.way().await;
    let prefix = format!("{NAMESPACE}/elections/reaper/");
    let mut candidates = Vec::new();
    for number in 0..MANY {
        let client = bare(&way).await;
        client.kv_client().put(format!("{prefix}{number}"), "", None).await.expect("puts");
        let stream = follow(&client, &prefix).await;
        candidates.push((client, stream));
    }
    let before = stage.mark(&way).await;
    let (leader, _) = candidates.remove(0);
    let deleted = leader.kv_client().delete(format!("{prefix}0"), None).await.expect("deletes");
    let gone = revision(deleted.header());
    let wake = candidates.iter_mut().map(async |(client, stream)| {
        told(stream, gone).await;
        list(client, &prefix).await
    });
    let seen = join_all(wake).await;
    assert!(seen.iter().all(|count| *count == MANY - 1));
    let bill = stage.bill(&way, &before, 1).await;
    println!("counted: control, a herd of {MANY}: {bill}");
    assert_eq!(bill.requests, MANY as u64);
    bounds::two_requests_each(&bill).expect_err("a request of each candidate");
}
