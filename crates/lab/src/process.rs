//! A child process that never outlives the test process.
//!
//! Owns the child, its signals and its reaping. Three ends are covered: [`Process::kill`], dropping (so
//! also a panic of the test), and the death of the test process itself, be it by SIGKILL. For the last
//! one the child's death signal (`PR_SET_PDEATHSIG`) would not do: it needs unsafe code, and it fires
//! when the *thread* that started the child ends, which in a test runner is long before the process.
//! So a second child, the watchdog, waits on a pipe whose other end only this process holds; the kernel
//! closes it on any death, and the watchdog kills the group and deletes its folder. The server itself starts behind a gate
//! that opens only once its watchdog stands: at no moment is it alive and unguarded.

use std::{
    env,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{Error, Result};

const GATE: &str = r#"read -r _ && exec "$@" </dev/null"#;
/// The input behind the gate's line is the child's.
const OPEN_GATE: &str = r#"read -r _ && exec "$@""#;
const WATCHDOG: &str = r#"
    trap "" HUP INT TERM
    read -r _
    kill -s KILL -- "-$1"
    for _ in 1 2 3 4 5; do rm -rf -- "$2" && exit; sleep 0.1; done
"#;
const TAIL: u64 = 16 << 10;

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) envs: Vec<(&'static str, String)>,
    /// Variables of our own environment with this prefix are not passed on; all are when it is empty.
    pub(crate) hidden: &'static str,
}

impl Launch {
    pub(crate) fn name(&self) -> String {
        self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy().into_owned()
    }

    fn gated(&self, gate: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", gate, "gate"]).arg(&self.program).args(&self.args);
        let hidden = |name: &str| !self.hidden.is_empty() && name.starts_with(self.hidden);
        for (name, _) in env::vars_os().filter(|(name, _)| hidden(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.envs(self.envs.iter().cloned());
        command
    }
}

/// A running or exited child.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    watchdog: Option<Child>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts the child; `folder` is the temporary one that ends with it.
    pub(crate) fn start(launch: &Launch, folder: &TempDir, stdout: File, stderr: File) -> Result<Self> {
        Self::begin(launch, GATE, folder, stdout, stderr).map(|(process, _)| process)
    }

    /// Starts the child with both outputs going to the end of its [`log`].
    pub(crate) fn logged(launch: &Launch, folder: &TempDir) -> Result<Self> {
        let log = log(folder);
        let open = || {
            let file = File::options().create(true).append(true).open(&log);
            file.map_err(Error::io(format!("open {}", log.display())))
        };
        Self::start(launch, folder, open()?, open()?)
    }

    /// Starts a child that reads what is written to its input.
    pub(crate) fn start_listening(
        launch: &Launch,
        folder: &TempDir,
        stdout: File,
        stderr: File,
    ) -> Result<(Self, ChildStdin)> {
        let (process, input) = Self::begin(launch, OPEN_GATE, folder, stdout, stderr)?;
        input.map(|input| (process, input)).ok_or_else(|| Error::unexpected("the child has no input"))
    }

    fn begin(
        launch: &Launch,
        gate: &str,
        folder: &TempDir,
        stdout: File,
        stderr: File,
    ) -> Result<(Self, Option<ChildStdin>)> {
        let failed = || Error::io(format!("start {}", launch.program.display()));
        // Groups of their own: Ctrl-C in a terminal ends the test process only, and that ends these.
        let mut child = launch
            .gated(gate)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(failed())?;
        let mut input = child.stdin.take();
        let mut process = Self { child, watchdog: None, status: None };
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "watchdog", &process.child.id().to_string()])
            .arg(folder.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed())?;
        process.watchdog = Some(watchdog);
        if let Some(input) = &mut input {
            input.write_all(b"go\n").map_err(failed())?;
        }
        Ok((process, input))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the child exited, if it did.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
            if self.status.is_some() {
                self.dismiss_watchdog();
            }
        }
        self.status
    }

    /// Sends a signal to the child and its children; nothing once it has exited.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exited().is_some() {
            return Ok(());
        }
        // Not reaped yet, so the number still means this child.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let Some(pid) = pid else { return Ok(()) };
        kill_process_group(pid, signal).map_err(|errno| Error::Io {
            what: format!("send signal {} to {}", signal.as_raw(), self.child.id()),
            source: errno.into(),
        })
    }

    /// Kills and reaps; nothing once it has exited.
    pub(crate) fn kill(&mut self) {
        if self.exited().is_some() {
            return;
        }
        let _ = self.signal(Signal::KILL);
        // Its watch ends before the reaping frees the number for others.
        self.dismiss_watchdog();
        let _ = self.child.kill();
        self.status = self.child.wait().ok();
    }

    fn dismiss_watchdog(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            let _ = watchdog.kill();
            let _ = watchdog.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.dismiss_watchdog();
    }
}

/// Where the output of a process goes that has this folder.
pub(crate) fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

/// A temporary folder that ends with its handle.
pub(crate) fn folder() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("reception-lab-")
        .tempdir()
        .map_err(Error::io("create a temporary folder"))
}

/// Polls `check` until it gives something or `limit` has passed.
pub(crate) async fn poll_until<T>(limit: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = check() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Reads the last 16 KiB of a log; what cannot be read is told in its place.
pub(crate) fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(no log at {}: {error})", path.display()))
}
