//! What it costs to register, to update, to withdraw, to list and to begin a watch.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception::ClientExt as _;
use reception_tests::patiently;

use crate::{
    bounds,
    reader::Reader,
    stage::{Stage, client, instance, name},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_a_lease_stands_a_registration_is_one_call() {
    const MORE: usize = 255;
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = client(&way, "ttl=60s").await;
    let start = stage.mark(&way).await;
    let first = patiently("register", client.register(instance(0))).await.expect("registers");
    let opening = stage.bill(&way, &start, 1).await;

    let before = stage.mark(&way).await;
    let mut guards: Vec<_> = stream::iter(1..=MORE)
        .map(|number| client.register(instance(number)))
        .buffer_unordered(16)
        .try_collect()
        .await
        .expect("registers");
    let registered = stage.bill(&way, &before, MORE as u64).await;

    let before = stage.mark(&way).await;
    for guard in &guards[..50] {
        let next = guard.service().to_builder().attribute("zone", "a").build().expect("valid");
        patiently("update", guard.update(next)).await.expect("updates");
    }
    let updated = stage.bill(&way, &before, 50).await;

    let before = stage.mark(&way).await;
    for guard in guards.drain(..50) {
        patiently("close", guard.close()).await.expect("closes");
    }
    let withdrawn = stage.bill(&way, &before, 50).await;

    println!("counted: the first registration of a client: {opening}");
    println!("counted: 255 more: {registered}");
    println!("counted: 50 updates: {updated}");
    println!("counted: 50 withdrawals: {withdrawn}");
    assert_eq!(opening.server.method("LeaseGrant").calls, 1);
    assert!(opening.calls <= 3, "a lease, a record and the stream that looks at it: {opening}");
    for (bill, count) in [(&registered, MORE as u64), (&updated, 50), (&withdrawn, 50)] {
        bill.must_agree(&[]);
        bounds::one_call_each(bill).expect("one call");
        assert!(bill.server.method("Txn").calls <= count, "{bill}");
        assert_eq!(bill.server.method("LeaseGrant").calls, 0);
        assert_eq!(bill.server.method("Watch").calls, 0, "no stream each");
    }
    assert_eq!(updated.requests, 50, "an update is nothing but its write: {updated}");
    assert_eq!(stage.leases().await, 1, "256 registrations share a lease");
    drop(first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_registrations_at_once_are_few_calls_and_few_views() {
    const MANY: usize = 1000;
    const VIEWS: usize = 50;
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = client(&way, "ttl=60s").await;
    let mut reader = Reader::start(&stage, "api", 0).await;
    let before = stage.mark(&way).await;
    let registering = stream::iter(0..MANY)
        .map(|number| client.register(instance(number)))
        .buffer_unordered(MANY)
        .try_collect::<Vec<_>>();
    let (guards, views) = tokio::join!(registering, reader.views(MANY));
    let guards = guards.expect("registers");
    let bill = stage.bill(&way, &before, MANY as u64).await;
    println!("counted: 1,000 registrations at once, by a new client: {bill}");
    println!("counted: views of a watcher meanwhile: {views}");
    let leases = (MANY as u64).div_ceil(bounds::SHARD);
    assert_eq!(bill.server.method("LeaseGrant").calls, leases);
    bounds::joined(bill.server.method("Txn").calls, MANY as u64).expect("go together");
    assert_eq!(bill.server.method("Watch").calls, 1);
    assert_eq!(bill.calls, bill.server.method("Txn").calls + leases + 1, "{bill}");
    assert!(views <= VIEWS, "{views} views of one burst");
    bounds::joined(bill.requests, MANY as u64).expect("the watches of own keys go together, too");

    let before = stage.mark(&way).await;
    let updates = guards.iter().map(|guard| {
        let next = guard.service().to_builder().attribute("zone", "a").build().expect("valid");
        guard.update(next)
    });
    for updated in futures_util::future::join_all(updates).await {
        updated.expect("updates");
    }
    let updated = stage.bill(&way, &before, MANY as u64).await;
    let before = stage.mark(&way).await;
    let closing = guards.into_iter().map(reception::Registration::close);
    for closed in futures_util::future::join_all(closing).await {
        closed.expect("closes");
    }
    let withdrawn = stage.bill(&way, &before, MANY as u64).await;
    println!("counted: 1,000 updates at once: {updated}");
    println!("counted: 1,000 withdrawals at once: {withdrawn}");
    for bill in [&updated, &withdrawn] {
        bill.must_agree(&[]);
        bounds::joined(bill.server.method("Txn").calls, MANY as u64).expect("go together");
        assert_eq!(bill.calls, bill.server.method("Txn").calls, "{bill}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_registration_waits_for_nobody() {
    const MANY: usize = 50;
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = client(&way, "ttl=60s").await;
    let first = patiently("register", client.register(instance(MANY))).await.expect("registers");
    let before = stage.mark(&way).await;
    let mut guards = Vec::new();
    for number in 0..MANY {
        guards.push(patiently("register", client.register(instance(number))).await.expect("registers"));
    }
    let bill = stage.bill(&way, &before, MANY as u64).await;
    println!("counted: 50 registrations one by one: {bill}");
    bill.must_agree(&[]);
    assert_eq!(bill.server.method("Txn").calls, MANY as u64, "each is a transaction of its own");
    assert_eq!(bill.calls, MANY as u64);
    drop(first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_ten_thousand_is_two_requests_and_then_one_and_a_watch_one_more() {
    let stage = Stage::start().await;
    for (service, size) in [("few", 10), ("many", 10_000)] {
        stage.seed(service, size).await;
        let way = stage.way().await;
        let lister = client(&way, "").await;
        let before = stage.mark(&way).await;
        let listed = patiently("list", lister.list(&name(service))).await.expect("lists");
        let bill = stage.bill(&way, &before, 1).await;
        println!("counted: a list of {size}: {bill}");
        assert_eq!(listed.len(), size);
        bounds::pages(bill.requests, size as u64).expect("pages");
        assert_eq!(bill.server.method("Range").calls, bill.requests, "the server counts the same");

        let before = stage.mark(&way).await;
        let again = patiently("list", lister.list(&name(service))).await.expect("lists");
        let bill = stage.bill(&way, &before, 1).await;
        println!("counted: the next list of {size}: {bill}");
        assert_eq!(again, listed);
        assert_eq!(bill.requests, 1, "it is known how large the records are");

        let before = stage.mark(&way).await;
        let reader = Reader::start(&stage, service, size).await;
        let server = stage.bill(&way, &before, 1).await.server;
        let counted = reader.way.counts();
        println!(
            "counted: a watch of {size} begins: {} requests, {} bytes from the server",
            counted.messages_to_server, counted.bytes_to_client
        );
        bounds::pages(counted.messages_to_server - 1, size as u64).expect("pages and a stream");
        assert_eq!(server.method("Watch").received, 1);
    }
}
