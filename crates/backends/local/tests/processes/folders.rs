use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{Change, Client as _, ClientExt as _, ErrorKind, RegistrationState};
use reception_local::{BACKEND, Options, dial};

use crate::{api, client, desk, eventually, ids, instance, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_registered_comes_back_in_a_folder_that_was_replaced() {
    let desk = desk();
    let root = desk.path().join("root");
    let (owner, reader) = (client(&root).await, client(&root).await);
    let registration = owner.register(instance("one")).await.unwrap();
    let mut watcher = reader.watch(&api()).await.unwrap();
    until(&mut watcher, |view| view.len() == 1).await;
    fs::remove_dir_all(&root).unwrap();
    eventually(async || reader.list(&api()).await.is_ok_and(|view| view.len() == 1)).await;
    eventually(async || matches!(registration.state(), RegistrationState::Active)).await;
    fs::rename(&root, desk.path().join("away")).unwrap();
    fs::create_dir(&root).unwrap();
    eventually(async || reader.list(&api()).await.is_ok_and(|view| view.len() == 1)).await;
    // The watch has followed to the new folder.
    registration
        .update(instance("one").to_builder().attribute("version", "2").build().unwrap())
        .await
        .unwrap();
    until(&mut watcher, |view| view.get("one").is_some_and(|one| one.attribute("version") == Some("2")))
        .await;
    registration.close().await.unwrap();
    until(&mut watcher, reception_core::Snapshot::is_empty).await;
    owner.close().await.unwrap();
    reader.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_others_may_write_makes_everything_stale_until_it_is_mended() {
    let desk = desk();
    let root = desk.path().join("root");
    let owner = client(&root).await;
    let registration = owner.register(instance("one")).await.unwrap();
    let mut watcher = owner.watch(&api()).await.unwrap();
    until(&mut watcher, |view| view.len() == 1).await;
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(owner.list(&api()).await.unwrap_err().kind(), ErrorKind::Denied);
    eventually(async || matches!(registration.state(), RegistrationState::Doubtful(_))).await;
    let stale = soon(watcher.next()).await;
    assert!(matches!(stale, Some(Ok(Change::Stale(error))) if error.kind() == ErrorKind::Denied));
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
    eventually(async || matches!(registration.state(), RegistrationState::Active)).await;
    assert_eq!(ids(&owner).await, ["one"]);
    owner.close().await.unwrap();
}

#[tokio::test]
async fn a_folder_is_made_for_its_owner_alone_and_a_bad_one_is_refused_when_dialled() {
    let desk = desk();
    let root = desk.path().join("deep/root");
    let one = client(&root).await;
    let registration = one.register(instance("one")).await.unwrap();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600),
            }
        }
    }
    registration.close().await.unwrap();
    one.close().await.unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = dial(Options::default().folder(&root).any_fs(true)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("others can write"), "{refused}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_user_has_a_folder_without_naming_one() {
    let dialer = reception_core::Dialer::new().with(BACKEND).unwrap();
    // A namespace of its own: the folder is the one that every program of this user shares.
    let url = format!("local:?namespace=test-{}", std::process::id());
    let client = match dialer.dial(&url).await {
        Ok(client) => client,
        // A machine without any of the folders says so by name.
        Err(error) => return assert!(error.to_string().contains("local:///"), "{error}"),
    };
    let registration = client.register(instance("one")).await.unwrap();
    assert_eq!(client.list(&api()).await.unwrap().len(), 1);
    let folder = client.probe().await.unwrap().endpoints[0].address.clone();
    registration.close().await.unwrap();
    client.close().await.unwrap();
    let namespace = url.split_once('=').unwrap().1;
    fs::remove_dir_all(std::path::Path::new(&folder).join(namespace)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_is_held_makes_a_call_end_in_time() {
    let desk = desk();
    let options = Options::default().folder(desk.path()).any_fs(true).timeout(Duration::from_millis(300));
    let one = dial(options).await.unwrap();
    let first = one.register(instance("one")).await.unwrap();
    let gate = fs::File::open(desk.path().join("reception/services/api/gate")).unwrap();
    gate.lock().unwrap();
    let refused = soon(one.register(instance("two"))).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Timeout);
    // To go away needs no gate: the lock is let go, and the file is dead.
    soon(first.close()).await.unwrap();
    assert_eq!(one.list(&api()).await.unwrap().len(), 0);
    gate.unlock().unwrap();
    soon(one.register(instance("two"))).await.unwrap().close().await.unwrap();
    one.close().await.unwrap();
}
