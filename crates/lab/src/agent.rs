//! A program under test as a process of its own: killed, stopped and continued at will.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    Error, Result,
    process::{Launch, Process, folder, log, poll_until, tail},
};

const TERMINATE: Duration = Duration::from_secs(30);

/// A process that uses what is under test, such as a contender of an election.
///
/// Dropping kills and reaps it; it ends with the test process in any case. Dropped by a panicking test,
/// it prints the end of its output first.
///
/// ```no_run
/// # async fn run() -> reception_lab::Result<()> {
/// use std::time::Duration;
///
/// let agent = reception_lab::Agent::start("/bin/sleep", ["60"])?;
/// agent.pause()?;
/// agent.resume()?;
/// agent.kill();
/// let status = agent.wait_exit(Duration::from_secs(1)).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Agent {
    launch: Launch,
    process: Mutex<Process>,
    pid: u32,
    folder: TempDir,
}

impl Agent {
    /// Starts a program. Its two outputs go to [`log`](Self::log), its input is empty.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn start<A: Into<String>>(
        program: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Self> {
        let folder = folder()?;
        let args = args.into_iter().map(Into::into).collect();
        let program = program.as_ref().to_path_buf();
        let launch = Launch { program, args, envs: Vec::new(), hidden: "" };
        let process = Process::logged(&launch, &folder)?;
        let pid = process.pid();
        Ok(Self { launch, process: Mutex::new(process), pid, folder })
    }

    /// Its process id, also after its end.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exited(&self) -> Option<ExitStatus> {
        self.process().exited()
    }

    /// Kills it at once (SIGKILL) and waits for its end; nothing when it has ended.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Stops it (SIGSTOP): it does nothing, and its connections stay open.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the signal was refused.
    pub fn pause(&self) -> Result<()> {
        self.process().signal(Signal::STOP)
    }

    /// Lets a stopped one go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the signal was refused.
    pub fn resume(&self) -> Result<()> {
        self.process().signal(Signal::CONT)
    }

    /// Asks it to end (SIGTERM), also when it is stopped, and waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when it had to be killed after 30 s, [`Error::Io`] when a signal was refused.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it has been asked and still ends.
    pub async fn terminate(&self) -> Result<ExitStatus> {
        self.process().signal(Signal::TERM)?;
        // A stopped process would keep the signal for later.
        self.resume()?;
        let ended = self.wait_exit(TERMINATE).await;
        self.kill();
        ended
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when it still runs after `limit`; it goes on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait_exit(&self, limit: Duration) -> Result<ExitStatus> {
        let ended = poll_until(limit, || self.exited()).await;
        ended.ok_or_else(|| Error::timeout(format!("the end of {}", self.launch.name()), limit, self.logs()))
    }

    /// The end of its output.
    #[must_use]
    pub fn logs(&self) -> String {
        tail(&self.log())
    }

    /// The file that its output goes to; it ends with the handle.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        log(&self.folder)
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Agent {
    #[expect(clippy::print_stderr, reason = "the test runner attaches it to the failing test")]
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("the last lines of {} ({}):\n{}", self.launch.name(), self.pid, self.logs());
        }
    }
}
