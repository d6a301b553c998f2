//! The gate on a real etcd, behind a proxy that breaks.
#![cfg(feature = "etcd")]

use reception::{
    Client,
    health::{self, GateOptions},
};
use reception_lab::{Etcd, Flow, Proxy};
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn doubt_comes_in_time_on_etcd_and_recovery_is_sure() {
    let server = Etcd::start().await.unwrap();
    let proxy = Proxy::start(server.endpoint()).await.unwrap();
    let watcher = reception::dial(&format!("etcd://{}/gate", server.endpoint())).await.unwrap();
    let ttl = seconds(6);
    let url = format!("etcd://{}/gate?ttl=6s&timeout=3s", proxy.endpoint());
    let client = reception::dial(&url).await.unwrap();
    let gate = health::gate(client.clone(), api(), health::always(), GateOptions::default().rise(1)).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "registered one");
    // Once without a word for longer than a lease, and once with refused connections for a moment.
    let begun = Instant::now();
    proxy.set_both(Flow::Swallow);
    let told = story.next().await;
    assert!(told.starts_with("doubtful"), "{told}");
    // A third of the lease until a renewal is due, a third that it may be overdue.
    assert!(begun.elapsed() < ttl * 2 / 3 + Duration::from_millis(500), "{:?}", begun.elapsed());
    until_shown(&*watcher, &[]).await;
    proxy.heal().await.unwrap();
    assert_eq!(story.next().await, "recovered");
    assert_eq!(shown(&*watcher).await, ["one"]);
    proxy.cut().await.unwrap();
    let told = story.next().await;
    assert!(told.starts_with("doubtful"), "{told}");
    proxy.heal().await.unwrap();
    assert_eq!(story.next().await, "recovered");
    gate.close().await.unwrap();
    assert!(shown(&*watcher).await.is_empty());
    client.close().await.unwrap();
}
