//! A server process with a log, a folder for its data, and the same life for every kind of server.

use std::{
    fs,
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

const STOP: Duration = Duration::from_secs(10);

/// One server process: what [`Etcd`](crate::Etcd) is built on.
///
/// Dropping kills and reaps it and deletes its folder. Dropped by a panicking test, it prints the end
/// of the server's log first.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    process: Mutex<Option<Process>>,
    folder: TempDir,
}

impl Server {
    /// Prepares a server that is not running yet; `arguments` is told the folder for its data.
    pub(crate) fn prepare(
        program: PathBuf,
        hidden: &'static str,
        arguments: impl FnOnce(&Path) -> Vec<String>,
    ) -> Result<Self> {
        let folder = folder()?;
        let args = arguments(&folder.path().join("data"));
        let launch = Launch { program, args, envs: Vec::new(), hidden };
        Ok(Self { launch, process: Mutex::new(None), folder })
    }

    /// Starts the process, which must not be running; says nothing about readiness.
    pub(crate) fn launch(&self) -> Result<()> {
        *self.process() = Some(Process::logged(&self.launch, &self.folder)?);
        Ok(())
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running(|process| process.pid())
    }

    /// Kills the server at once (SIGKILL) and waits for its end; nothing when it is not running.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            process.kill();
        }
    }

    /// Asks the server to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when it had to be killed after 10 s.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server has been asked and still ends.
    pub async fn stop(&self) -> Result<()> {
        self.signal(Signal::TERM)?;
        // A paused process would keep the signal for later.
        self.signal(Signal::CONT)?;
        let ended = poll_until(STOP, || self.pid().is_none().then_some(())).await;
        self.kill();
        ended.ok_or_else(|| Error::timeout(format!("stopping {}", self.launch.name()), STOP, self.logs()))
    }

    /// Freezes the server (SIGSTOP): its connections stay open and silent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the signal was refused.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Thaws a paused server (SIGCONT).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the signal was refused.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// The end of the server's log, over all its lives.
    #[must_use]
    pub fn logs(&self) -> String {
        tail(&self.log())
    }

    /// The file that the server's output goes to.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        log(&self.folder)
    }

    /// The folder of the server's data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Deletes the data of a server that is not running.
    pub(crate) fn delete_data(&self) -> Result<()> {
        let data = self.data();
        match fs::remove_dir_all(&data) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(format!("delete {}", data.display()))(error))
            }
            _ => Ok(()),
        }
    }

    /// How the process ended, if it was started and did.
    pub(crate) fn exited(&self) -> Option<ExitStatus> {
        self.process().as_mut().and_then(Process::exited)
    }

    pub(crate) fn exit_error(&self, status: ExitStatus) -> Error {
        Error::Exited { program: self.launch.name(), status: status.to_string(), logs: self.logs() }
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.running(|process| process.signal(signal)).unwrap_or(Ok(()))
    }

    fn running<T>(&self, act: impl FnOnce(&mut Process) -> T) -> Option<T> {
        let mut slot = self.process();
        let process = slot.as_mut()?;
        if process.exited().is_some() { None } else { Some(act(process)) }
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "the test runner attaches it to the failing test")]
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("the last lines of {}:\n{}", self.launch.name(), self.logs());
        }
    }
}
