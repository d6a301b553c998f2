use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use reception_core::{Client, ClientExt as _};

use crate::{actor::Actor, api, client, desk, eventually, ids, instance, now, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_instances_in_20_processes_the_living_are_seen() {
    let desk = desk();
    let reader = client(desk.path()).await;
    let mut watcher = reader.watch(&api()).await.unwrap();
    let names: Vec<Vec<String>> =
        (0..20).map(|p| (0..10).map(|i| format!("p{p:02}-{i}")).collect()).collect();
    let mut actors: Vec<Actor> = names
        .iter()
        .map(|ids| Actor::start("register", desk.path(), &ids.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect();
    actors.iter().for_each(|actor| assert_eq!(actor.says(), "registered"));
    until(&mut watcher, |view| view.len() == 200).await;
    let killed = now();
    actors.iter_mut().step_by(2).for_each(Actor::kill);
    until(&mut watcher, |view| view.len() == 100).await;
    let took = now().saturating_since(killed);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let living: Vec<String> = names.iter().skip(1).step_by(2).flatten().cloned().collect();
    let seen: Vec<String> =
        watcher.current().unwrap().iter().map(|one| one.id().as_str().to_owned()).collect();
    assert_eq!(seen, living);
    assert_eq!(ids(&reader).await, living);
    reader.close().await.unwrap();
}

/// More than the system grants one user in watchers of folders, on most machines: those that get none look again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_beyond_what_the_system_grants_see_everything_too() {
    let desk = desk();
    let owner = client(desk.path()).await;
    let clients = join_all((0..140).map(|_| client(desk.path()))).await;
    let mut watchers =
        try_join_all(clients.iter().map(|one| async move { one.watch(&api()).await })).await.unwrap();
    let registration = owner.register(instance("one")).await.unwrap();
    for watcher in &mut watchers {
        until(watcher, |view| view.len() == 1).await;
    }
    let next = instance("one").to_builder().attribute("version", "2").build().unwrap();
    registration.update(next.clone()).await.unwrap();
    for watcher in &mut watchers {
        until(watcher, |view| view.get("one") == Some(&next)).await;
    }
    registration.close().await.unwrap();
    for watcher in &mut watchers {
        until(watcher, reception_core::Snapshot::is_empty).await;
    }
    drop(watchers);
    join_all(clients.iter().map(Client::close)).await;
    owner.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_100_claims_of_one_id_at_once_one_wins() {
    let desk = desk();
    let clients = join_all((0..100).map(|_| client(desk.path()))).await;
    let at_once = reception_core::RegisterOptions::default().on_conflict(reception_core::OnConflict::Fail);
    let claims = clients.iter().map(|one| one.register_with(instance("one"), at_once));
    let won: Vec<_> = join_all(claims).await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 1);
    join_all(clients.iter().map(Client::close)).await;
}

/// The folders that this process listens to, as the system tells.
#[cfg(target_os = "linux")]
fn watched(inode: u64) -> usize {
    let infos = std::fs::read_dir("/proc/self/fdinfo").unwrap().map(Result::unwrap);
    let texts = infos.filter_map(|info| std::fs::read_to_string(info.path()).ok());
    let wanted = format!(" ino:{inode:x} ");
    texts
        .map(|text| text.lines().filter(|line| line.starts_with("inotify") && line.contains(&wanted)).count())
        .sum()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_watchers_of_a_client_are_one_watch_of_the_system() {
    use std::os::unix::fs::MetadataExt as _;
    let desk = desk();
    let reader = client(desk.path()).await;
    let registration = reader.register(instance("one")).await.unwrap();
    let inode = desk.path().join("reception/services/api/signs").metadata().unwrap().ino();
    assert_eq!(watched(inode), 0);
    let mut watchers = Vec::new();
    for _ in 0..50 {
        let mut watcher = reader.watch(&api()).await.unwrap();
        until(&mut watcher, |view| view.len() == 1).await;
        watchers.push(watcher);
    }
    assert_eq!(watched(inode), 1);
    drop(watchers);
    eventually(async || watched(inode) == 0).await;
    registration.close().await.unwrap();
    reader.close().await.unwrap();
}
