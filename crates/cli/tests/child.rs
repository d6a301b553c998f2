//! A child beside the real command: whose end it follows, and what it finds.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

const LOOK: Duration = Duration::from_millis(20);
/// How often to look before a test gives up.
const LOOKS: u32 = 1_000;

/// `reception elect` with a child that runs this script.
fn elect(options: &[&str], script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reception"));
    command.args(["--url", "memory:", "elect", "job", "--events", "/dev/null"]).args(options);
    command.args(["--", "sh", "-c", script]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Started, with the lines of its child. Killed when dropped.
struct Running {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut process = command.spawn().expect("the command starts");
        let lines = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the child writes");
        line.trim().to_owned()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("it runs");
    }

    fn code(&mut self) -> Option<i32> {
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether the process does anything yet; a dead one that nobody has reaped does not.
fn runs(pid: &str) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().expect("ps runs");
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

fn ends(pid: &str) -> bool {
    (0..LOOKS).any(|look| {
        if look > 0 {
            thread::sleep(LOOK);
        }
        !runs(pid)
    })
}

#[test]
fn a_child_does_not_outlive_a_killed_command() {
    let mut running =
        Running::start(&mut elect(&[], "echo $$; trap '' TERM HUP INT; while :; do sleep 1; done"));
    let child = running.line();
    assert!(runs(&child));
    running.signal(Signal::KILL);
    assert!(ends(&child), "the child {child} lives on");
}

#[test]
#[cfg(debug_assertions)]
fn where_no_kernel_helps_a_watchdog_ends_the_whole_group() {
    let mut command = elect(&[], "sleep 1000 & echo $!; echo $$; while :; do sleep 1; done");
    let mut running = Running::start(command.env("RECEPTION_TEST_WATCHDOG", "1"));
    let (grandchild, child) = (running.line(), running.line());
    assert!(runs(&child) && runs(&grandchild));
    running.signal(Signal::KILL);
    assert!(ends(&child), "the child {child} lives on");
    assert!(ends(&grandchild), "what the child started, {grandchild}, lives on");
}

#[test]
#[cfg(debug_assertions)]
fn a_watchdog_lets_be_what_a_child_left_behind() {
    let mut command = elect(&["--once"], "sleep 1000 >/dev/null & echo $!; exit 4");
    let mut running = Running::start(command.env("RECEPTION_TEST_WATCHDOG", "1"));
    let left = running.line();
    assert_eq!(running.code(), Some(4));
    assert!(runs(&left));
    end(&left);
}

#[test]
fn what_a_child_left_behind_when_it_ended_is_let_be() {
    let mut running = Running::start(&mut elect(&["--once"], "sleep 1000 >/dev/null & echo $!; exit 4"));
    let left = running.line();
    assert_eq!(running.code(), Some(4));
    assert!(runs(&left));
    end(&left);
}

fn end(pid: &str) {
    let pid = pid.parse().ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::KILL).expect("it runs");
}

#[test]
fn a_stop_waits_for_all_that_the_child_started() {
    let slow = "(trap 'sleep 0.3; echo last; exit' TERM; echo ready; while :; do sleep 0.05; done)";
    let mut running = Running::start(&mut elect(&[], &format!("{slow} & echo $!; wait")));
    let (one, other) = (running.line(), running.line());
    let grandchild = if one == "ready" { other } else { one };
    running.signal(Signal::TERM);
    assert_eq!(running.code(), Some(0));
    assert!(!runs(&grandchild));
    assert_eq!(running.line(), "last");
}

#[test]
fn a_stop_kills_what_does_not_listen() {
    let deaf = "(trap '' TERM; echo ready; while :; do sleep 0.05; done)";
    let mut running =
        Running::start(&mut elect(&["--kill-after", "200ms"], &format!("{deaf} & echo $!; wait")));
    let (one, other) = (running.line(), running.line());
    let grandchild = if one == "ready" { other } else { one };
    running.signal(Signal::TERM);
    // The child itself heeded the SIGTERM.
    assert_eq!(running.code(), Some(0));
    assert!(ends(&grandchild));
}

#[test]
fn a_stopped_child_hears_of_the_stop() {
    let mut running =
        Running::start(&mut elect(&["--kill-after", "1h"], "echo up; kill -STOP $$; sleep 1000"));
    assert_eq!(running.line(), "up");
    running.signal(Signal::INT);
    assert_eq!(running.code(), Some(0));
}

#[test]
fn a_child_reads_what_was_meant_for_it() {
    let mut running = Running::start(elect(&["--once"], "cat; exit 9").stdin(Stdio::piped()));
    let mut stdin = running.process.stdin.take().expect("a pipe");
    stdin.write_all(b"for the child").expect("it reads");
    drop(stdin);
    let mut read = String::new();
    running.lines.read_to_string(&mut read).expect("text");
    assert_eq!((read.as_str(), running.code()), ("for the child", Some(9)));
}

/// The handles, the signals that are ignored or blocked, and the environment but for what tells the token.
#[test]
#[cfg(target_os = "linux")]
fn a_child_finds_the_world_as_if_it_were_started_plainly() {
    let script =
        "ls /proc/$$/fd; grep -E '^Sig(Ign|Blk)' /proc/self/status; env | grep -v '^RECEPTION_TOKEN=' | sort";
    let mut plain = Command::new("sh");
    let plain = plain.args(["-c", script]).stdin(Stdio::null()).output().expect("sh runs");
    let ours = elect(&["--once"], script).output().expect("the command runs");
    assert_eq!(String::from_utf8_lossy(&ours.stdout), String::from_utf8_lossy(&plain.stdout));
}

#[test]
fn a_program_that_cannot_be_run_is_told_apart_from_one_that_is_not_there() {
    for (program, code) in [("no-such-program", 127), ("/dev/null/x", 127), ("/", 126), ("/dev/null", 126)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reception"));
        let output =
            command.args(["--url", "memory:", "elect", "job", "--", program]).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{program}: {told}");
        assert!(told.starts_with(&format!("error: cannot run {program}")), "{told}");
    }
}
