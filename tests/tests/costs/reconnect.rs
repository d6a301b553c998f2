//! What a broken connection costs when the leases outlive it.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception::{Change, ClientExt as _};
use reception_tests::{PATIENCE, patiently};
use tokio::time::timeout;

use crate::{
    reader::Reader,
    stage::{Stage, client, instance, name},
};

/// Longer than the second over which first tries are spread: what comes back later than the watch has come.
const QUIET: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_writes_no_record_again() {
    const MANY: usize = 100;
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = client(&way, "ttl=60s").await;
    let guards: Vec<_> = stream::iter(0..MANY)
        .map(|number| client.register(instance(number)))
        .buffer_unordered(16)
        .try_collect()
        .await
        .expect("registers");
    let beside = Reader::start(&stage, "api", MANY).await;
    let mut watcher = patiently("watch", client.watch(&name("api"))).await.expect("watches");
    while watcher.current().is_none_or(|view| view.len() < MANY) {
        timeout(PATIENCE, watcher.next()).await.expect("in time");
    }
    let written = stage.revision().await;
    let (before, seen) = (stage.mark(&way).await, stage.mark(&beside.way).await);
    way.reset().await.expect("resets");
    loop {
        let item = timeout(PATIENCE, watcher.next()).await.expect("in time").expect("goes on");
        if matches!(item.expect("no error"), Change::Reset(_)) {
            break;
        }
    }
    stage.quiet(&way, QUIET).await;
    let bill = stage.bill(&way, &before, MANY as u64).await;
    println!("counted: a broken connection under 100 registrations and a watch: {bill}");
    bill.must_agree(&[]);
    assert_eq!(bill.server.method("Range").calls, 0, "no list: {bill}");
    assert_eq!(stage.revision().await, written, "nothing is written, also not in a transaction");
    assert_eq!(bill.server.watches, 3, "of the own keys, of the service, and that of the reader: {bill}");
    assert!(bill.requests <= 5, "more than five requests: {bill}");
    assert_eq!(watcher.current().expect("a view").len(), MANY);
    let others = stage.bill(&beside.way, &seen, 1).await;
    assert_eq!(others.answers, 0, "nobody else saw anything: {others}");
    drop(guards);
}
