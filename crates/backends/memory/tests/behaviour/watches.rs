use std::time::Duration;

use futures_util::StreamExt as _;
use reception_core::{Change, Client as _, ClientExt as _, ErrorKind, ListOptions};
use reception_memory::Cluster;

use crate::{TTL, api, client, close, eventually, ids, service, soon, until_view};

#[tokio::test(start_paused = true)]
async fn foreign_bytes_are_counted_and_hide_nothing() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let _registration = client.register(service("a")).await.unwrap();
    let mut watcher = client.watch(&api()).await.unwrap();
    until_view(&mut watcher, |view| view.len() == 1).await;
    cluster.write_raw("", "api", "odd", b"\xff not a record").unwrap();
    until_view(&mut watcher, |view| view.unreadable() == 1 && view.len() == 1).await;
    assert_eq!(client.list(&api()).await.unwrap().unreadable(), 1);
    cluster.write("", &service("odd")).unwrap();
    until_view(&mut watcher, |view| view.unreadable() == 0 && view.len() == 2).await;
    cluster.write_raw("", "api", "odd", b"{").unwrap();
    until_view(&mut watcher, |view| view.unreadable() == 1 && view.len() == 1).await;
    cluster.remove("", "api", "odd").unwrap();
    until_view(&mut watcher, |view| view.unreadable() == 0 && view.len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn many_watchers_cost_one_watch() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let mut watchers = Vec::new();
    for _ in 0..20 {
        watchers.push(client.watch(&api()).await.unwrap());
    }
    let _registration = client.register(service("a")).await.unwrap();
    for watcher in &mut watchers {
        until_view(watcher, |view| view.len() == 1).await;
    }
    assert_eq!(cluster.watches(), 1);
    drop(watchers);
    close(client).await;
    assert_eq!(cluster.watches(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_read_again_and_no_removal_is_lost() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let first = one.register(service("a")).await.unwrap();
    let mut watcher = other.watch(&api()).await.unwrap();
    until_view(&mut watcher, |view| view.get("a").is_some()).await;
    cluster.faults().of(&other).partition();
    first.close().await.unwrap();
    let _second = one.register(service("b")).await.unwrap();
    cluster.faults().compact();
    assert!(matches!(soon(watcher.next()).await, Some(Ok(Change::Stale(_)))));
    assert!(watcher.current().unwrap().get("a").is_some(), "an error keeps the view");
    cluster.faults().heal();
    assert!(matches!(soon(watcher.next()).await, Some(Ok(Change::Reset(_)))));
    let view = watcher.current().unwrap();
    assert!(view.get("a").is_none() && view.get("b").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_restart_makes_a_watch_stale_and_then_whole() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let _registration = client.register(service("a")).await.unwrap();
    let mut watcher = client.watch(&api()).await.unwrap();
    until_view(&mut watcher, |view| view.len() == 1).await;
    eventually(async || cluster.watches() == 1).await;
    cluster.faults().restart();
    assert!(matches!(soon(watcher.next()).await, Some(Ok(Change::Stale(_)))));
    assert!(matches!(soon(watcher.next()).await, Some(Ok(Change::Reset(view))) if view.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn after_a_wipe_everything_wanted_is_registered_again() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let _registration = client.register(service("a")).await.unwrap();
    let mut watcher = client.watch(&api()).await.unwrap();
    until_view(&mut watcher, |view| view.len() == 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.faults().wipe();
    assert!(ids(&client).await.is_empty());
    soon(async { while !matches!(watcher.next().await, Some(Ok(Change::Reset(_)))) {} }).await;
    until_view(&mut watcher, |view| view.len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_watcher_hears_of_a_crash_at_the_end_of_the_lease() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let _registration = one.register(service("a")).await.unwrap();
    let mut watcher = other.watch(&api()).await.unwrap();
    until_view(&mut watcher, |view| view.len() == 1).await;
    cluster.faults().of(&one).crash().await;
    let start = tokio::time::Instant::now();
    until_view(&mut watcher, reception_core::Snapshot::is_empty).await;
    assert!(start.elapsed() <= TTL + Duration::from_millis(50), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn candidates_show_in_no_list_and_among_no_names() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let elector = client.elector(&"api".parse().unwrap()).await.unwrap();
    let _leadership = elector.elect(service("a")).await.unwrap();
    assert!(client.list_with(&api(), ListOptions::default().any_status(true)).await.unwrap().is_empty());
    assert!(client.names().await.unwrap().is_empty());
    let _registration = client.register(service("a")).await.unwrap();
    assert_eq!(client.names().await.unwrap().into_iter().collect::<Vec<_>>(), [api()]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_closed_when_the_client_closes() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let mut watcher = client.watch(&api()).await.unwrap();
    until_view(&mut watcher, reception_core::Snapshot::is_empty).await;
    close(client).await;
    assert!(matches!(watcher.next().await, Some(Err(error)) if error.kind() == ErrorKind::Closed));
    assert!(watcher.next().await.is_none());
}
