//! What it costs to be there: renewals, and nothing else.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception::{Client, ClientExt as _};
use reception_lab::Proxy;
use reception_tests::{PATIENCE, patiently};
use tokio::time::sleep;

use crate::{
    bounds,
    reader::Reader,
    stage::{NAMESPACE, Stage, client, instance},
};

/// From 20 s on it makes no difference at which moment between two renewals, 3.33 s apart, a count begins.
const WINDOW: Duration = Duration::from_secs(21);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_registrations_renew_with_at_most_035_requests_a_second_per_256() {
    const MANY: usize = 1000;
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = client(&way, "ttl=10s").await;
    let guards: Vec<_> = stream::iter(0..MANY)
        .map(|number| client.register(instance(number)))
        .buffer_unordered(64)
        .try_collect()
        .await
        .expect("registers");
    let before = stage.mark(&way).await;
    sleep(WINDOW).await;
    let bill = stage.bill(&way, &before, MANY as u64).await;
    println!(
        "counted: 1,000 registrations in {:.1?}: {:.3} requests a second, {bill}",
        bill.span,
        bill.requests_a_second()
    );
    println!(
        "counted: open for 1,000 registrations: {} leases, {} watches on {} stream",
        stage.leases().await,
        bill.server.watches,
        bill.server.watch_streams
    );
    bounds::renewals(bill.requests, MANY as u64, bill.span).expect("few renewals");
    bill.must_agree(&[]);
    assert_eq!(bill.server.methods.keys().collect::<Vec<_>>(), ["LeaseKeepAlive"]);
    assert_eq!(stage.leases().await as u64, (MANY as u64).div_ceil(bounds::SHARD));
    assert_eq!(bill.server.watch_streams, 1);
    assert_eq!(stage.keys(&format!("{NAMESPACE}/services/")).await.len(), MANY);
    drop(guards);
}

/// A program of its own, and the way that it takes.
async fn program(stage: &Stage) -> (Proxy, Arc<dyn Client>) {
    let way = stage.way().await;
    let client = client(&way, "ttl=10s").await;
    (way, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_asks_nothing_and_who_leads_or_waits_only_renews() {
    let stage = Stage::start().await;
    stage.seed("api", 1000).await;
    let reader = Reader::start(&stage, "api", 1000).await;
    let (leading, first) = program(&stage).await;
    let (waiting, second) = program(&stage).await;
    let reaper = "reaper".parse().expect("a name");
    let (one, two) =
        (first.elector(&reaper).await.expect("one"), second.elector(&reaper).await.expect("one"));
    let leadership = patiently("elect", one.elect(instance(1))).await.expect("elected");
    let mut standing = pin!(two.elect(instance(2)));
    let stands = stage.candidates(2);
    tokio::select! {
        () = stands => {}
        other = &mut standing => panic!("two lead: {other:?}"),
    }
    let ways = [("a watcher", &reader.way), ("a leader", &leading), ("a waiting candidate", &waiting)];
    let mut marks = Vec::new();
    for (_, way) in ways {
        marks.push(stage.mark(way).await);
    }
    sleep(WINDOW).await;
    let mut bills = Vec::new();
    for ((who, way), before) in ways.iter().zip(&marks) {
        let bill = stage.bill(way, before, 1).await;
        println!(
            "counted: {who} in {:.1?}: {:.3} requests a second, {bill}",
            bill.span,
            bill.requests_a_second()
        );
        bills.push(bill);
    }
    let watcher = &bills[0];
    bounds::no_request(watcher).expect("a watcher asks nothing");
    // A ping of 17 bytes every six seconds, and its answer.
    assert!((watcher.up + watcher.down) as f64 <= 10.0 * watcher.span.as_secs_f64(), "{watcher}");
    for bill in &bills[1..] {
        bounds::renewals(bill.requests, bounds::SHARD, bill.span).expect("one lease is renewed");
    }
    tokio::time::timeout(PATIENCE, leadership.resign()).await.expect("in time").expect("resigns");
    let next = patiently("elect", standing).await.expect("elected");
    assert!(next.is_held());
}
