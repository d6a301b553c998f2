//! Things in the folder that no program of ours would put there.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use reception_core::{Client as _, ClientExt as _, ErrorKind};
use reception_local::{LocalClient, Options, dial};
use tokio::time::timeout;

use crate::{api, client, desk, eventually, ids, instance, soon, until};

/// What a call with the timeout of these clients may take on a busy machine.
const IN_TIME: Duration = Duration::from_secs(10);

fn pipe(path: &Path) {
    drop(fs::remove_file(path));
    rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
}

fn service(root: &Path) -> PathBuf {
    root.join("reception/services/api")
}

fn election(root: &Path) -> PathBuf {
    root.join("reception/elections/reaper")
}

async fn brief(root: &Path) -> LocalClient {
    let options = Options::default().folder(root).any_fs(true).timeout(Duration::from_millis(500));
    dial(options).await.unwrap()
}

/// A call may fail, and so may the next one; none may hang, nor keep the client from closing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipes_in_place_of_our_files_hold_nobody_up() {
    for what in ["gate", "signs/one", "records/one"] {
        let desk = desk();
        let one = brief(desk.path()).await;
        one.register(instance("zero")).await.unwrap().close().await.unwrap();
        pipe(&service(desk.path()).join(what));
        drop(timeout(IN_TIME, one.register(instance("one"))).await.expect(what));
        drop(timeout(IN_TIME, one.list(&api())).await.expect(what));
        timeout(IN_TIME, one.close()).await.expect(what).unwrap();
    }
    for what in ["gate", "lock", "term", ".term"] {
        let desk = desk();
        let one = brief(desk.path()).await;
        let elector = one.elector(&"reaper".parse().unwrap()).await.unwrap();
        elector.elect(instance("zero")).await.unwrap().resign().await.unwrap();
        pipe(&election(desk.path()).join(what));
        drop(timeout(IN_TIME, elector.leader()).await.expect(what));
        drop(timeout(Duration::from_secs(3), elector.elect(instance("one"))).await);
        timeout(IN_TIME, one.close()).await.expect(what).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_in_place_of_our_files_lead_nowhere() {
    let desk = desk();
    let precious = desk.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let root = desk.path().join("root");
    let one = brief(&root).await;
    one.register(instance("zero")).await.unwrap().close().await.unwrap();
    let elector = one.elector(&"reaper".parse().unwrap()).await.unwrap();
    elector.elect(instance("zero")).await.unwrap().resign().await.unwrap();
    symlink(&precious, service(&root).join("signs/one")).unwrap();
    symlink(&precious, election(&root).join(".term")).unwrap();
    drop(soon(one.register(instance("one"))).await);
    drop(timeout(Duration::from_secs(2), elector.elect(instance("one"))).await);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    one.close().await.unwrap();
}

#[tokio::test]
async fn what_lies_beside_the_services_hides_none() {
    let desk = desk();
    let one = client(desk.path()).await;
    let registration = one.register(instance("one")).await.unwrap();
    let services = desk.path().join("reception/services");
    fs::write(services.join("README"), "not a service").unwrap();
    symlink("nowhere", services.join("link")).unwrap();
    fs::create_dir(services.join("empty")).unwrap();
    fs::create_dir(services.join("odd")).unwrap();
    fs::write(services.join("odd/records"), "not a folder").unwrap();
    let names: Vec<String> = one.names().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["api"]);
    registration.close().await.unwrap();
    one.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_at_their_end_do_not_begin_anew() {
    let desk = desk();
    let one = client(desk.path()).await;
    let elector = one.elector(&"reaper".parse().unwrap()).await.unwrap();
    elector.elect(instance("one")).await.unwrap().resign().await.unwrap();
    let records = election(desk.path()).join("records");
    fs::write(records.join(format!("{}-{}", u64::MAX, "0".repeat(32))), "no candidate").unwrap();
    let second = soon(elector.elect(instance("two"))).await.unwrap();
    second.resign().await.unwrap();
    let term = election(desk.path()).join("term");
    let text = fs::read_to_string(&term).unwrap();
    let (head, tail) = text.split_once(":2 ").unwrap();
    fs::write(&term, format!("{head}:{} {tail}", u64::MAX)).unwrap();
    let refused = soon(elector.elect(instance("three"))).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Protocol, "{refused}");
    assert_eq!(ids(&one).await, Vec::<String>::new());
    one.close().await.unwrap();
}

/// The root may be one that others can enter: then what lies in it counts too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_below_that_others_can_write_is_refused_until_it_is_mended() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = desk();
    let one = brief(desk.path()).await;
    let registration = one.register(instance("one")).await.unwrap();
    let elector = one.elector(&"reaper".parse().unwrap()).await.unwrap();
    elector.elect(instance("one")).await.unwrap().resign().await.unwrap();
    let folders = [service(desk.path()), service(desk.path()).join("records"), election(desk.path())];
    let open = |folder: &Path, mode| fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    for folder in &folders {
        open(folder, 0o777);
        let listed = one.list(&api()).await.map(drop).map_err(|error| error.kind());
        let led = elector.leader().await.map(drop).map_err(|error| error.kind());
        let other = one.register(instance("two")).await.map(drop).map_err(|error| error.kind());
        let denied = Err(ErrorKind::Denied);
        let of_election = folder.ends_with("reaper");
        assert_eq!(
            (listed == denied, other == denied, led == denied),
            (!of_election, !of_election, of_election)
        );
        open(folder, 0o700);
    }
    eventually(async || ids(&one).await == ["one"]).await;
    registration.close().await.unwrap();
    one.close().await.unwrap();
}

/// More files changed at once than are remembered one by one, the one of a dying owner among them, whose lock is let go a little later.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_death_among_very_many_changes_is_seen_soon() {
    use std::os::unix::fs::FileExt as _;
    let desk = desk();
    let one = client(desk.path()).await;
    let mut watcher = one.watch(&api()).await.unwrap();
    until(&mut watcher, reception_core::Snapshot::is_empty).await;
    let record = service(desk.path()).join("records/dying");
    let held = fs::File::create(service(desk.path()).join("records/.draft")).unwrap();
    held.lock().unwrap();
    held.write_all_at(br#"{"v":1,"address":"10.0.0.9","port":9000}"#, 0).unwrap();
    fs::rename(service(desk.path()).join("records/.draft"), &record).unwrap();
    let sign = |id: &str| fs::write(service(desk.path()).join("signs").join(id), ".").unwrap();
    sign("dying");
    until(&mut watcher, |view| view.len() == 1).await;
    // Nobody listens meanwhile: this runtime has one thread.
    sign("dying");
    (0..1500).for_each(|number| sign(&format!("noise-{number}")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    held.unlock().unwrap();
    let seen = until(&mut watcher, reception_core::Snapshot::is_empty);
    timeout(Duration::from_secs(3), seen).await.expect("the death is seen soon");
    one.close().await.unwrap();
}
