//! The check that runs a command: real ones, on this machine's files.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use reception::{
    Client, ErrorKind,
    health::{self, Check, Command, GateOptions},
};

use super::*;

/// A folder, a client of this machine's store in it, and options for quick tries.
async fn local() -> (tempfile::TempDir, Arc<dyn Client>, GateOptions) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("local://{}?any_fs=true", folder.path().join("store").display());
    let client = reception::dial(&url).await.expect("a store");
    (folder, client, GateOptions::default().interval(Duration::from_millis(40)))
}

async fn say(line: &str) -> Result<(), String> {
    in_time(Command::new(line).expect("a line").check()).await
}

/// The number of a process that a command wrote down.
async fn pid(file: &Path) -> i32 {
    let read = || async {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.strip_suffix('\n').and_then(|line| line.parse().ok()).ok_or(text)
    };
    reception_lab::eventually(LIMIT, read).await.expect("written down")
}

async fn until_gone(pid: i32) {
    let gone = || async {
        let pid = rustix::process::Pid::from_raw(pid).expect("a number");
        match rustix::process::test_kill_process(pid) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    reception_lab::eventually(LIMIT, gone).await.expect("killed and reaped");
}

#[tokio::test]
async fn code_0_is_good_and_everything_else_bad() {
    assert_eq!(say("true").await, Ok(()));
    assert_eq!(say("exit 7").await, Err("the command ended with code 7".to_owned()));
    assert_eq!(say("kill -9 $$").await, Err("the command was ended by signal 9".to_owned()));
    assert_eq!(say("surely-no-such-command").await, Err("the command ended with code 127".to_owned()));
}

#[tokio::test]
async fn a_line_that_can_be_none_is_refused_up_front() {
    for line in ["", "  ", "a\0b"] {
        assert_eq!(Command::new(line).expect_err("refused").kind(), ErrorKind::Config, "{line:?}");
    }
}

#[tokio::test]
async fn it_has_neither_our_input_nor_our_output_and_a_group_of_its_own() {
    let null = "for n in 0 1 2; do [ \"$(readlink /proc/$$/fd/$n)\" = /dev/null ] || exit $((n + 1)); done";
    if cfg!(target_os = "linux") {
        assert_eq!(say(null).await, Ok(()));
    }
    assert_eq!(say("read line").await, Err("the command ended with code 1".to_owned()));
    assert_eq!(say("[ \"$(ps -o pgid= -p $$ | tr -d ' ')\" = $$ ]").await, Ok(()));
}

#[tokio::test]
async fn a_gate_on_this_machine_follows_a_command() {
    let (folder, client, options) = local().await;
    let well = folder.path().join("well");
    let check = Command::new(format!("test -e '{}'", well.display())).unwrap();
    let gate = health::gate(client.clone(), api(), check, options).unwrap();
    let mut story = Story::of(&gate);
    for _ in 0..2 {
        std::fs::write(&well, "").unwrap();
        assert_eq!(story.next().await, "registered one");
        assert_eq!(shown(&*client).await, ["one"]);
        std::fs::remove_file(&well).unwrap();
        assert_eq!(story.next().await, "withdrawn");
        assert!(shown(&*client).await.is_empty());
    }
    gate.close().await.unwrap();
    client.close().await.unwrap();
}

/// A command that never ends, with a child in its group, and the files that say who they are.
fn endless(folder: &Path) -> (Command, PathBuf, PathBuf) {
    let (leader, child) = (folder.join("leader"), folder.join("child"));
    let line = format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >\"{}\"; while :; do sleep 1; done' & echo $$ >'{}'; wait; wait",
        child.display(),
        leader.display()
    );
    (Command::new(line).expect("a line"), leader, child)
}

#[tokio::test]
async fn at_the_deadline_the_whole_group_is_killed() {
    let (folder, client, options) = local().await;
    let (check, leader, child) = endless(folder.path());
    let gate = health::gate(client, api(), check, options).unwrap();
    let (leader, child) = (pid(&leader).await, pid(&child).await);
    assert_eq!(word(&Story::of(&gate).any().await.unwrap()), "failing: no answer within 1s");
    until_gone(leader).await;
    until_gone(child).await;
    gate.close().await.unwrap();
}

#[tokio::test]
async fn a_gate_that_is_dropped_or_closed_kills_the_command_under_way() {
    for close in [false, true] {
        let (folder, client, options) = local().await;
        let (check, leader, child) = endless(folder.path());
        let options = options.interval(seconds(30));
        let gate = health::gate(client, api(), check, options).unwrap();
        let (leader, child) = (pid(&leader).await, pid(&child).await);
        if close {
            // Long before the deadline of the try.
            tokio::time::timeout(seconds(10), gate.close()).await.expect("at once").unwrap();
        } else {
            drop(gate);
        }
        until_gone(leader).await;
        until_gone(child).await;
    }
}

#[tokio::test]
async fn gates_dropped_at_any_moment_leave_no_process_and_no_registration() {
    let (folder, client, _) = local().await;
    let mark = folder.path().join("tries");
    for step in 0..25 {
        let line = format!("echo $$ >>'{}'; sleep 0.02", mark.display());
        let options = GateOptions::default().rise(1).interval(Duration::from_millis(10));
        let gate = health::gate(client.clone(), api(), Command::new(line).unwrap(), options).unwrap();
        tokio::time::sleep(Duration::from_millis(3) * step).await;
        drop(gate);
        until_shown(&*client, &[]).await;
    }
    let tries = std::fs::read_to_string(&mark).unwrap();
    for pid in tries.lines() {
        until_gone(pid.parse().unwrap()).await;
    }
    client.close().await.unwrap();
}
