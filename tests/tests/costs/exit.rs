//! What a clean end costs, and that it leaves nothing.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception::{Client, ClientExt as _, Registration};
use reception_lab::eventually;
use reception_tests::{PATIENCE, patiently};

use crate::{
    bounds,
    stage::{NAMESPACE, Stage, client, instance},
};

const MANY: usize = 1000;

async fn registered(client: &Arc<dyn Client>) -> Vec<Registration> {
    stream::iter(0..MANY)
        .map(|number| client.register(instance(number)))
        .buffer_unordered(64)
        .try_collect()
        .await
        .expect("registers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_withdraws_a_thousand_registrations_with_a_request_per_lease() {
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = client(&way, "ttl=60s").await;
    let guards = registered(&client).await;
    let before = stage.mark(&way).await;
    patiently("close", client.close()).await.expect("closes");
    assert_eq!(stage.keys(NAMESPACE).await, Vec::<String>::new(), "gone when the close is Ok");
    assert_eq!(stage.leases().await, 0);
    let bill = stage.bill(&way, &before, MANY as u64).await;
    println!("counted: a close with 1,000 registrations: {bill}");
    bill.must_agree(&["Range", "LeaseLeases"]);
    bounds::clean_exit(&bill).expect("a request per lease");
    assert_eq!(bill.server.method("LeaseRevoke").received, (MANY as u64).div_ceil(bounds::SHARD));
    assert_eq!((bill.server.watches, bill.server.watch_streams), (0, 0));
    assert_eq!(way.counts().open_connections, 0);
    drop(guards);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_thousand_registrations_withdraws_them_together_and_leaves_nothing() {
    let stage = Stage::start().await;
    let way = stage.way().await;
    let client = client(&way, "ttl=60s").await;
    let guards = registered(&client).await;
    let before = stage.mark(&way).await;
    drop((client, guards));
    let nothing = || async {
        let left = (stage.keys(NAMESPACE).await.len(), stage.leases().await, way.counts().open_connections);
        if left == (0, 0, 0) { Ok(()) } else { Err(left) }
    };
    eventually(PATIENCE, nothing).await.expect("nothing is left");
    let bill = stage.bill(&way, &before, MANY as u64).await;
    println!("counted: 1,000 registrations dropped with their client: {bill}");
    // Each guard that drops withdraws its own record; the last one ends the client, which revokes the leases.
    let leases = (MANY as u64).div_ceil(bounds::SHARD);
    bounds::joined(bill.server.method("Txn").calls, MANY as u64).expect("go together");
    assert_eq!(bill.server.method("DeleteRange").calls, 0, "{bill}");
    assert_eq!(bill.server.method("LeaseRevoke").received, leases);
}
