//! A reader of stderr that has stopped reading holds nothing up.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write, pipe},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::{
    io::ioctl_fionbio,
    process::{Pid, Signal, kill_process},
};

/// How long a test waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);
/// How often to look before a test gives up.
const LOOKS: u32 = 1_000;

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_stop() {
    let (_reader, writer) = pipe().expect("a pipe");
    let mut full = File::from(OwnedFd::from(writer));
    ioctl_fionbio(&full, true).expect("a pipe that does not block");
    for size in [4096, 1] {
        while full.write(&vec![b'x'; size]).is_ok() {}
    }
    ioctl_fionbio(&full, false).expect("a pipe that blocks");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reception"));
    command.args(["-vv", "--url", "memory:", "elect", "job", "--events", "/dev/null"]);
    command.args(["--", "sh", "-c", "echo up; exec sleep 600"]).env("RUST_LOG", "trace");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(full);
    let mut running = Running(command.spawn().expect("it starts"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("a pipe"));
    let (tell, told) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut line = String::new();
        tell.send(lines.read_line(&mut line).map(|_| line)).expect("the test waits");
    });
    let line = told.recv_timeout(PATIENCE).expect("the child starts in time").expect("a line");
    assert_eq!(line, "up\n");
    kill_process(Pid::from_child(&running.0), Signal::TERM).expect("it runs");
    let ended = (0..LOOKS).find_map(|_| {
        thread::sleep(LOOK);
        running.0.try_wait().expect("it can be waited for")
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(0), "it ends in time");
}
