use std::{fs, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{Change, Client as _, ClientExt as _, ErrorKind, OnConflict, RegisterOptions};

use crate::{actor::Actor, api, client, desk, eventually, ids, instance, now, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_vanishes_from_the_watch_of_another_within_100_ms() {
    let desk = desk();
    let reader = client(desk.path()).await;
    let mut watcher = reader.watch(&api()).await.unwrap();
    let mut spans = Vec::new();
    for round in 0..9 {
        let id = format!("i{round}");
        let mut actor = Actor::start("register", desk.path(), &[&id]);
        assert_eq!(actor.says(), "registered");
        until(&mut watcher, |view| view.get(&id).is_some()).await;
        let killed = now();
        actor.kill();
        until(&mut watcher, |view| view.get(&id).is_none()).await;
        spans.push(now().saturating_since(killed));
        assert!(ids(&reader).await.is_empty());
    }
    spans.sort();
    // The middle one: any single one may meet a machine that is busy with something else.
    let limit = if cfg!(target_os = "linux") { Duration::from_millis(100) } else { Duration::from_secs(2) };
    assert!(spans[spans.len() / 2] < limit, "{spans:?}");
    reader.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_process_has_its_id_at_once() {
    let desk = desk();
    let heir = client(desk.path()).await;
    let mut actor = Actor::start("register", desk.path(), &["fixed"]);
    assert_eq!(actor.says(), "registered");
    let at_once = RegisterOptions::default().on_conflict(OnConflict::Fail);
    let refused = heir.register_with(instance("fixed"), at_once).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    actor.kill();
    let registration = heir.register(instance("fixed")).await.unwrap();
    assert_eq!(ids(&heir).await, ["fixed"]);
    registration.close().await.unwrap();
    heir.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_sees_half_a_record() {
    let desk = desk();
    let reader = client(desk.path()).await;
    let actor = Actor::start("update", desk.path(), &["busy"]);
    assert_eq!(actor.says(), "registered");
    let mut watcher = reader.watch(&api()).await.unwrap();
    let mut versions = std::collections::BTreeSet::new();
    for _ in 0..1500 {
        let view = reader.list(&api()).await.unwrap();
        assert_eq!((view.len(), view.unreadable()), (1, 0), "{view:?}");
        versions.insert(view.get("busy").unwrap().attribute("version").unwrap().to_owned());
    }
    assert!(versions.len() > 20, "only {} versions were seen", versions.len());
    while let Ok(Some(item)) = tokio::time::timeout(Duration::from_millis(20), watcher.next()).await {
        match item.unwrap() {
            Change::Reset(view) => assert_eq!((view.len(), view.unreadable()), (1, 0)),
            Change::Patch(patch) => {
                assert!(patch.removed().is_empty() && patch.unreadable() == 0, "{patch:?}");
            }
            other => panic!("{other:?}"),
        }
        if versions.len() > 60 {
            break;
        }
        versions.insert(format!("w{}", versions.len()));
    }
    reader.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_left_is_taken_away_by_a_reader() {
    let desk = desk();
    let reader = client(desk.path()).await;
    let mut actor = Actor::start("register", desk.path(), &["a", "b"]);
    assert_eq!(actor.says(), "registered");
    actor.kill();
    eventually(async || ids(&reader).await.is_empty()).await;
    let room = desk.path().join("reception/services/api");
    let count = |folder: &str| fs::read_dir(room.join(folder)).unwrap().count();
    eventually(async || {
        ids(&reader).await;
        count("records") + count("signs") == 0
    })
    .await;
    reader.close().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_one_costs_no_look_at_all() {
    let desk = desk();
    let (owner, reader) = (client(desk.path()).await, client(desk.path()).await);
    let mut held = Vec::new();
    for number in 0..300 {
        held.push(owner.register(instance(&format!("held-{number}"))).await.unwrap());
    }
    let mut actor = Actor::start("register", desk.path(), &["dying"]);
    assert_eq!(actor.says(), "registered");
    let mut watcher = reader.watch(&api()).await.unwrap();
    until(&mut watcher, |view| view.len() == 301).await;
    let before = reader.spent().records();
    actor.kill();
    until(&mut watcher, |view| view.len() == 300).await;
    let record = desk.path().join("reception/services/api/records/dying");
    eventually(async || !record.exists()).await;
    let looks = reader.spent().records() - before;
    assert!(looks < 100, "{looks} records were looked at");
    owner.close().await.unwrap();
    reader.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_files_are_counted_and_left_alone() {
    let desk = desk();
    let reader = client(desk.path()).await;
    let registration = reader.register(instance("good")).await.unwrap();
    let records = desk.path().join("reception/services/api/records");
    fs::write(records.join("README.txt"), "not a record").unwrap();
    fs::create_dir(records.join("folder")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", records.join("link")).unwrap();
    // A record that nobody holds is dead, whoever wrote it.
    fs::write(records.join("unlocked"), r#"{"v":1,"address":"10.0.0.9","port":9000}"#).unwrap();
    let view = reader.list(&api()).await.unwrap();
    assert_eq!((view.len(), view.unreadable()), (1, 3), "{view:?}");
    assert!(!records.join("unlocked").exists());
    for left in ["README.txt", "folder", "link"] {
        assert!(records.join(left).symlink_metadata().is_ok(), "{left}");
    }
    registration.close().await.unwrap();
    reader.close().await.unwrap();
}
