//! A real etcd lives and dies as told.
#![cfg(test)]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use reception_lab::{Error, Etcd, EtcdOptions, eventually, free_port};

const SOON: Duration = Duration::from_secs(10);
const HOLDER: &str = "RECEPTION_LAB_HOLDER";

/// The state letter of a process, or `None` when even its zombie is gone.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether some process still watches over `pid`.
fn watched(pid: u32) -> bool {
    let wanted = format!("\0watchdog\0{pid}\0");
    let processes = fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("cmdline")).ok())
        .any(|line| line.contains(&wanted))
}

#[tokio::test]
async fn a_key_survives_a_kill_and_a_restart_but_not_a_wipe() {
    let etcd = Etcd::start().await.unwrap();
    let (url, pid) = (etcd.url(), etcd.pid().unwrap());
    let ctl = etcd.ctl().unwrap();
    ctl.run(&["put", "a", "b"]).await.unwrap();

    etcd.kill();
    assert_eq!((etcd.pid(), state(pid), watched(pid)), (None, None, false));
    etcd.restart().await.unwrap();
    assert_eq!(etcd.url(), url);
    assert_eq!(ctl.run(&["get", "a"]).await.unwrap().stdout, "a\nb\n");

    etcd.wipe().await.unwrap();
    assert_eq!(ctl.run(&["get", "a"]).await.unwrap().stdout, "");
    assert!(etcd.metric("etcd_debugging_mvcc_keys_total").await.unwrap() < 1.0);
}

#[tokio::test]
async fn a_restored_server_is_as_far_as_it_was_when_saved() {
    let etcd = Etcd::start().await.unwrap();
    let ctl = etcd.ctl().unwrap();
    ctl.run(&["put", "a", "early"]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot");
    etcd.save(&file).await.unwrap();
    ctl.run(&["put", "a", "late"]).await.unwrap();
    etcd.restore(&file).await.unwrap();
    assert_eq!(ctl.run(&["get", "a"]).await.unwrap().stdout, "a\nearly\n");
    etcd.restart().await.unwrap();
    assert_eq!(ctl.run(&["get", "a"]).await.unwrap().stdout, "a\nearly\n");
}

#[tokio::test]
async fn a_stopped_server_ends_in_order_even_when_it_was_paused() {
    let etcd = Etcd::start().await.unwrap();
    let pid = etcd.pid().unwrap();
    etcd.pause().unwrap();
    eventually(SOON, || async { if state(pid) == Some('T') { Ok(()) } else { Err(state(pid)) } })
        .await
        .unwrap();
    etcd.stop().await.unwrap();
    assert_eq!(state(pid), None);
    assert!(etcd.logs().contains("\"signal\":\"terminated\""), "{}", etcd.logs());
}

#[tokio::test]
async fn a_paused_server_is_silent_until_it_is_resumed() {
    let etcd = Etcd::start().await.unwrap();
    let ctl = etcd.ctl().unwrap().flag("--command-timeout=500ms").flag("--dial-timeout=500ms");
    etcd.pause().unwrap();
    assert!(matches!(ctl.run(&["get", "a"]).await, Err(Error::Failed { .. })));
    etcd.resume().unwrap();
    eventually(SOON, || ctl.run(&["get", "a"])).await.unwrap();
}

#[tokio::test]
async fn options_reach_the_server() {
    let (client, peer) = (free_port().unwrap(), free_port().unwrap());
    let (client_number, peer_number) = (client.number(), peer.number());
    drop((client, peer));
    let options = EtcdOptions::default()
        .ports(client_number, peer_number)
        .auth_token_ttl(Duration::from_secs(2))
        .flag("--max-request-bytes=2048");
    let etcd = Etcd::start_with(options).await.unwrap();
    assert_eq!(etcd.endpoint().port(), client_number);
    assert!(etcd.version().unwrap().starts_with("3."));
    let refused = etcd.ctl().unwrap().run(&["put", "a", &"b".repeat(3000)]).await.unwrap_err();
    assert!(refused.to_string().contains("too large"), "{refused}");
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    let options = EtcdOptions::default().flag("--no-such-flag");
    let error = Etcd::start_with(options).await.unwrap_err();
    assert!(matches!(&error, Error::Exited { logs, .. } if logs.contains("no-such-flag")), "{error}");
}

#[tokio::test]
async fn servers_start_side_by_side() {
    let (one, two) = tokio::join!(Etcd::start(), Etcd::start());
    assert_ne!(one.unwrap().endpoint(), two.unwrap().endpoint());
}

#[tokio::test]
async fn an_elected_etcdctl_tells_its_key_and_resigns_when_stopped() {
    let etcd = Etcd::start().await.unwrap();
    let ctl = etcd.ctl().unwrap();
    let mut leader = ctl.spawn(&["elect", "room", "me"]).unwrap();
    let key = leader.line(SOON).await.unwrap();
    assert!(key.starts_with("room/"), "{key}");
    assert_eq!(leader.line(SOON).await.unwrap(), "me");
    assert_eq!(leader.lines().unwrap(), [key.clone(), "me".to_owned()]);
    leader.stop().await.unwrap();
    assert!(matches!(leader.line(SOON).await, Err(Error::Exited { .. })));
    assert_eq!(ctl.run(&["get", &key]).await.unwrap().stdout, "");
}

#[tokio::test]
async fn a_running_etcdctl_ends_with_its_handle() {
    let etcd = Etcd::start().await.unwrap();
    let watch = etcd.ctl().unwrap().spawn(&["watch", "a"]).unwrap();
    let pid = watch.pid();
    drop(watch);
    assert_eq!((state(pid), watched(pid)), (None, false));
}

#[test]
fn a_panicking_test_leaves_no_server_and_no_zombie() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let test = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let etcd = Etcd::start().await.unwrap();
            tell.send((etcd.pid().unwrap(), etcd.data())).unwrap();
            panic!("as a failing test does");
        });
    });
    let (pid, data) = told.recv().unwrap();
    assert!(test.join().is_err());
    assert_eq!((state(pid), watched(pid), data.exists()), (None, false, false));
}

#[test]
fn a_killed_test_process_takes_its_server_along() {
    let mut holder = Command::new(env::current_exe().unwrap())
        .args(["--exact", "holds_a_server_until_it_is_killed", "--ignored", "--nocapture"])
        .env(HOLDER, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let told =
        lines.map_while(Result::ok).find_map(|line| Some(line.split_once("server ")?.1.to_owned())).unwrap();
    let (pid, data) = told.split_once(' ').unwrap();
    let (pid, data) = (pid.parse().unwrap(), Path::new(data));
    assert!(matches!(state(pid), Some('S' | 'R' | 'D')), "{:?}", state(pid));
    assert!(watched(pid) && data.exists());
    holder.kill().unwrap();
    holder.wait().unwrap();

    // An orphan's zombie is the business of the system's first process.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dead = || async {
        let (state, left) = (state(pid), data.exists());
        if matches!(state, None | Some('Z')) && !left { Ok(()) } else { Err((state, left)) }
    };
    runtime.block_on(eventually(SOON, dead)).unwrap();
}

#[tokio::test]
#[ignore = "started by a_killed_test_process_takes_its_server_along, in a process of its own"]
async fn holds_a_server_until_it_is_killed() {
    if env::var_os(HOLDER).is_none() {
        return;
    }
    let etcd = Etcd::start().await.unwrap();
    println!("\nserver {} {}", etcd.pid().unwrap(), etcd.data().display());
    std::future::pending::<()>().await;
}
