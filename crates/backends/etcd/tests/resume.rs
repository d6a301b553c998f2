//! A watch after every kind of break.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests panic")]

#[expect(dead_code, reason = "each test program uses its part")]
mod support;

use etcd_client::Client as Direct;
use reception_core::ClientExt;
use reception_lab::{Etcd, Proxy};
use support::{Follower, SOON, dial, direct, ids, instance};

const RECORD: &str = r#"{"v":1,"address":"10.0.0.9","port":9000}"#;

struct Stage {
    etcd: Etcd,
    proxy: Proxy,
    store: Direct,
}

impl Stage {
    async fn start() -> Self {
        let etcd = Etcd::start().await.unwrap();
        let proxy = Proxy::start(etcd.endpoint()).await.unwrap();
        let store = direct(&etcd).await;
        Self { etcd, proxy, store }
    }

    async fn put(&mut self, id: &str) -> i64 {
        let put = self.store.put(format!("test/services/api/{id}"), RECORD, None).await.unwrap();
        put.header().unwrap().revision()
    }

    async fn delete(&mut self, id: &str) -> i64 {
        let deleted = self.store.delete(format!("test/services/api/{id}"), None).await.unwrap();
        deleted.header().unwrap().revision()
    }
}

#[tokio::test]
async fn a_cut_is_made_up_for_by_one_read_and_one_watch() {
    let mut stage = Stage::start().await;
    for number in 0..300 {
        stage.put(&format!("i{number:03}")).await;
    }
    let client = dial(stage.proxy.endpoint(), "ttl=5s&timeout=2s").await;
    let mut follower = Follower::of(&client).await;
    follower.until("all", |view| view.len() == 300).await;
    stage.proxy.cut().await.unwrap();
    follower.stale().await;
    stage.put("i007").await;
    stage.put("new").await;
    let before = stage.proxy.counts();
    stage.proxy.heal().await.unwrap();
    follower.until("the new one", |view| view.len() == 301).await;
    let cost = stage.proxy.counts().since(&before);
    assert_eq!(follower.removals, 0);
    assert!(cost.bytes_to_client < 3000, "a resume cost {} bytes for two changes", cost.bytes_to_client);
    assert!(cost.requests <= 4, "a resume cost {} requests", cost.requests);
    stage.put("later").await;
    follower.until("the later one", |view| view.len() == 302).await;
}

#[tokio::test]
async fn a_removal_in_a_cut_is_not_lost() {
    let mut stage = Stage::start().await;
    for id in ["a", "b", "c"] {
        stage.put(id).await;
    }
    let client = dial(stage.proxy.endpoint(), "ttl=5s&timeout=2s").await;
    let mut follower = Follower::of(&client).await;
    follower.shows(&["a", "b", "c"]).await;
    stage.proxy.cut().await.unwrap();
    follower.stale().await;
    stage.delete("b").await;
    // As many keys as before, and one that came, went and came again.
    for id in ["d", "e"] {
        stage.put(id).await;
    }
    stage.delete("e").await;
    stage.delete("c").await;
    stage.put("c").await;
    stage.proxy.heal().await.unwrap();
    follower.shows(&["a", "c", "d"]).await;
    stage.delete("a").await;
    follower.shows(&["c", "d"]).await;
}

#[tokio::test]
async fn a_compaction_in_a_cut_ends_in_an_exact_view() {
    let mut stage = Stage::start().await;
    stage.put("a").await;
    let client = dial(stage.proxy.endpoint(), "ttl=5s&timeout=2s").await;
    let held = client.register(instance("held")).await.unwrap();
    let mut follower = Follower::of(&client).await;
    follower.shows(&["a", "held"]).await;
    stage.proxy.cut().await.unwrap();
    follower.stale().await;
    for _ in 0..1000 {
        stage.put("b").await;
    }
    stage.delete("a").await;
    let last = stage.put("c").await;
    stage.store.compact(last, None).await.unwrap();
    stage.proxy.heal().await.unwrap();
    follower.shows(&["b", "c", "held"]).await;
    // The registration looks at its key again too: it is written again when somebody deletes it.
    stage.delete("held").await;
    follower.shows(&["b", "c"]).await;
    follower.shows(&["b", "c", "held"]).await;
    drop(held);
}

#[tokio::test]
async fn a_wiped_store_is_told_from_a_quiet_one() {
    let mut stage = Stage::start().await;
    for id in ["a", "b"] {
        stage.put(id).await;
    }
    let client = dial(stage.proxy.endpoint(), "ttl=5s&timeout=2s").await;
    let registration = client.register(instance("held")).await.unwrap();
    let mut follower = Follower::of(&client).await;
    follower.shows(&["a", "b", "held"]).await;
    stage.etcd.wipe().await.unwrap();
    follower.shows(&["held"]).await;
    // The registration looks at its key again too, though the revisions are smaller now.
    for id in ["a", "b"] {
        let gone = stage.delete("held").await;
        support::returned(&stage.store, "held", gone).await;
        stage.put(id).await;
    }
    drop(registration);
}

#[tokio::test]
async fn a_frozen_server_shows_as_stale_and_comes_back() {
    let mut stage = Stage::start().await;
    stage.put("a").await;
    let client = dial(stage.proxy.endpoint(), "ttl=30s&timeout=2s").await;
    let mut follower = Follower::of(&client).await;
    follower.shows(&["a"]).await;
    stage.etcd.pause().unwrap();
    follower.stale().await;
    stage.etcd.resume().unwrap();
    follower.shows(&["a"]).await;
    assert_eq!(follower.removals, 0);
}

#[tokio::test]
async fn a_restart_of_the_server_is_survived_by_watch_and_registration() {
    let stage = Stage::start().await;
    let client = dial(stage.etcd.endpoint(), "ttl=5s&timeout=3s").await;
    let registration = client.register(instance("held")).await.unwrap();
    let mut follower = Follower::of(&client).await;
    follower.shows(&["held"]).await;
    let other = client.register(instance("other")).await.unwrap();
    follower.shows(&["held", "other"]).await;
    stage.etcd.restart().await.unwrap();
    follower.shows(&["held", "other"]).await;
    assert_eq!(follower.removals, 0);
    tokio::time::timeout(SOON, registration.close()).await.unwrap().unwrap();
    follower.shows(&["other"]).await;
    drop(other);
}

#[tokio::test]
async fn a_list_of_thousands_is_read_in_pages_at_one_revision() {
    let mut stage = Stage::start().await;
    for from in (0..2500).step_by(100) {
        let puts: Vec<_> = (from..from + 100)
            .map(|number| etcd_client::TxnOp::put(format!("test/services/api/i{number:04}"), RECORD, None))
            .collect();
        stage.store.txn(etcd_client::Txn::new().and_then(puts)).await.unwrap();
    }
    stage.store.put("test/services/apix/other", RECORD, None).await.unwrap();
    let client = dial(stage.proxy.endpoint(), "").await;
    let all = client.list(&support::api()).await.unwrap();
    assert_eq!((all.len(), all.unreadable()), (2500, 0));
    assert_eq!(ids(&all)[2499], "i2499");
    // The first page shows that the rest fits into one more.
    assert_eq!(stage.proxy.counts().requests, 2);
    let names: Vec<_> = client.names().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["api", "apix"]);
    let mut follower = Follower::of(&client).await;
    follower.until("all", |view| view.len() == 2500).await;
}

#[tokio::test]
async fn records_of_the_largest_size_are_read_in_smaller_pages() {
    let mut stage = Stage::start().await;
    let large = format!(r#"{{"v":1,"address":"10.0.0.9","port":9000,"later":"{}"}}"#, "x".repeat(60_000));
    for number in 0..200 {
        stage.store.put(format!("test/services/api/i{number:03}"), large.as_str(), None).await.unwrap();
    }
    stage.store.put("test/services/api/huge", "x".repeat(1_200_000), None).await.unwrap();
    let client = dial(stage.proxy.endpoint(), "").await;
    let all = client.list(&support::api()).await.unwrap();
    assert_eq!((all.len(), all.unreadable()), (200, 1));
    let mut follower = Follower::of(&client).await;
    follower.until("all", |view| view.len() == 200 && view.unreadable() == 1).await;
    stage.delete("huge").await;
    follower.until("none unreadable", |view| view.len() == 200 && view.unreadable() == 0).await;
}
