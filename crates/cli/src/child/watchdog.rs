//! Where no kernel ends a child with its parent: a process that waits for our end on a pipe and then kills the child's group.

use std::{
    ffi::OsString,
    io::{self, PipeWriter, Read, Write},
    os::unix::process::CommandExt,
    process::{self, Command, ExitCode, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// What stands first on its command line. Nobody else is to call it.
pub(super) const WORD: &str = "__watch-child";

/// Whether children are guarded this way.
pub(super) fn guards() -> bool {
    // The variable lets tests play this on Linux too.
    let asked = || cfg!(debug_assertions) && std::env::var_os("RECEPTION_TEST_WATCHDOG").is_some();
    !cfg!(target_os = "linux") || asked()
}

/// Holds the pipe. Dropping it lets the group be.
#[derive(Debug)]
pub(super) struct Watchdog {
    process: process::Child,
    pipe: PipeWriter,
}

impl Watchdog {
    pub(super) fn start(group: Pid) -> io::Result<Self> {
        let (theirs, pipe) = io::pipe()?;
        let mut command = Command::new(super::own_binary()?);
        // In a group of its own, so that Ctrl-C does not end it before us.
        command.arg(WORD).arg(group.to_string()).process_group(0);
        let process = command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { process, pipe })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // It ends at once, by this or because somebody killed it.
        let _ = self.pipe.write_all(b"!");
        let _ = self.process.wait();
    }
}

pub(super) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let group = arguments.next().and_then(|group| group.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let dismissed = io::stdin().read_exact(&mut [0]).is_ok();
    if let (Some(group), false) = (group, dismissed) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    ExitCode::SUCCESS
}
