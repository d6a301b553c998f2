//! etcd's command line program: the foreign client of the interop tests.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::ChildStdin,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    Error, Result,
    process::{Launch, Process, folder, poll_until, tail},
    program,
};

const LIMIT: u64 = 8 << 20;
const BOUND: Duration = Duration::from_secs(20);

/// Runs `etcdctl` against one server, within 20 s and 8 MiB of output.
///
/// The program is the one `ETCDCTL_BIN` names, else `etcdctl` on `PATH`.
#[derive(Clone, Debug)]
pub struct Etcdctl {
    launch: Launch,
}

/// What a finished command wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// Standard output, lossless if it was UTF-8.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Etcdctl {
    /// Points the program at a URL, which may be that of a proxy.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] without etcdctl.
    pub fn new(url: impl Into<String>) -> Result<Self> {
        let program = program::find("etcdctl", "ETCDCTL_BIN")?;
        let args = vec![format!("--endpoints={}", url.into())];
        let envs = vec![("ETCDCTL_API", "3".to_owned())];
        Ok(Self { launch: Launch { program, args, envs, hidden: "ETCD" } })
    }

    /// The program that works on a server's files; before etcd 3.5 it was `etcdctl` itself.
    pub(crate) fn offline() -> Result<Self> {
        let program =
            program::find("etcdutl", "ETCDUTL_BIN").or_else(|_| program::find("etcdctl", "ETCDCTL_BIN"))?;
        let envs = vec![("ETCDCTL_API", "3".to_owned())];
        Ok(Self { launch: Launch { program, args: Vec::new(), envs, hidden: "ETCD" } })
    }

    /// Trusts `ca`, and shows a certificate with its key if given.
    #[must_use]
    pub fn tls(self, ca: &Path, identity: Option<(&Path, &Path)>) -> Self {
        let with_ca = self.flag(format!("--cacert={}", ca.display()));
        match identity {
            Some((cert, key)) => {
                with_ca.flag(format!("--cert={}", cert.display())).flag(format!("--key={}", key.display()))
            }
            None => with_ca,
        }
    }

    /// Acts as this user.
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        self.flag(format!("--user={name}:{password}"))
    }

    /// Adds a flag that every command gets.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.launch.args.push(flag.into());
        self
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when it exits with a failure, [`Error::Timeout`] after 20 s,
    /// [`Error::TooMuch`] over 8 MiB of output.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the command is killed, but may have done its work.
    pub async fn run(&self, args: &[&str]) -> Result<Finished> {
        let mut running = self.spawn(args)?;
        let ended = poll_until(BOUND, || match running.exited() {
            Some(status) => Some(Ok(status)),
            None => running.check_size().err().map(Err),
        });
        let status =
            ended.await.ok_or_else(|| Error::timeout(&running.command, BOUND, running.stderr()))??;
        running.check_size()?;
        let finished = Finished { stdout: running.stdout()?, stderr: running.stderr() };
        if status.success() {
            return Ok(finished);
        }
        Err(Error::Failed {
            command: running.command.clone(),
            status: status.to_string(),
            stderr: finished.stderr,
        })
    }

    /// Starts a command that goes on, such as `elect` or `watch`; killed when dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn spawn(&self, args: &[&str]) -> Result<Running> {
        let mut launch = self.launch.clone();
        launch.args.extend(args.iter().map(|&arg| arg.to_owned()));
        Running::start(&launch, format!("{} {}", launch.name(), args.join(" ")))
    }
}

/// A command that goes on; killed and reaped when dropped.
#[derive(Debug)]
pub struct Running {
    command: String,
    process: Process,
    input: Option<ChildStdin>,
    /// How many complete lines were read.
    read: usize,
    folder: TempDir,
}

impl Running {
    pub(crate) fn start(launch: &Launch, command: String) -> Result<Self> {
        let folder = folder()?;
        let (stdout, stderr) = outputs(&folder)?;
        let process = Process::start(launch, &folder, stdout, stderr)?;
        Ok(Self { command, process, input: None, read: 0, folder })
    }

    /// Starts one that is told more by [`say`](Self::say).
    pub(crate) fn start_listening(launch: &Launch, command: String) -> Result<Self> {
        let folder = folder()?;
        let (stdout, stderr) = outputs(&folder)?;
        let (process, input) = Process::start_listening(launch, &folder, stdout, stderr)?;
        Ok(Self { command, process, input: Some(input), read: 0, folder })
    }

    /// Writes a line to the input of a program that listens.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it does not listen, or no longer.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let written = match &mut self.input {
            Some(input) => input.write_all(format!("{line}\n").as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(Error::io(format!("tell {}", self.command)))
    }

    /// Waits for the next complete line of standard output.
    ///
    /// # Errors
    ///
    /// [`Error::Exited`] when the command ended and every line was read, [`Error::Timeout`] after
    /// `limit`, [`Error::TooMuch`] over 8 MiB of output.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no line is lost.
    pub async fn line(&mut self, limit: Duration) -> Result<String> {
        let next = poll_until(limit, || {
            // Asked before reading: what an ended command wrote is then all there.
            let ended = self.exited();
            match (self.lines(), ended) {
                (Ok(lines), _) if lines.len() > self.read => Some(Ok(lines[self.read].clone())),
                (Ok(_), Some(status)) => Some(Err(Error::Exited {
                    program: self.command.clone(),
                    status: status.to_string(),
                    logs: self.stderr(),
                })),
                (Ok(_), None) => None,
                (Err(error), _) => Some(Err(error)),
            }
        });
        let line = next.await.ok_or_else(|| Error::timeout(&self.command, limit, self.stderr()))??;
        self.read += 1;
        Ok(line)
    }

    /// All complete lines of standard output so far.
    ///
    /// # Errors
    ///
    /// [`Error::TooMuch`] over 8 MiB of output.
    pub fn lines(&self) -> Result<Vec<String>> {
        self.check_size()?;
        let text = self.stdout()?;
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        Ok(if text.contains('\n') { complete.split('\n').map(str::to_owned).collect() } else { Vec::new() })
    }

    /// Standard error so far, its end if it is long.
    #[must_use]
    pub fn stderr(&self) -> String {
        tail(&self.path("stderr"))
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills the command (SIGKILL) and reaps it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks the command to end (SIGINT, as Ctrl-C does: an elected one resigns) and waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when it had to be killed after 20 s.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it has been asked and still ends.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::INT)?;
        let ended = poll_until(BOUND, || self.exited()).await;
        self.kill();
        ended
            .map(drop)
            .ok_or_else(|| Error::timeout(format!("stopping {}", self.command), BOUND, self.stderr()))
    }

    /// How the command exited, if it did.
    pub fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.process.exited()
    }

    fn stdout(&self) -> Result<String> {
        let bytes = std::fs::read(self.path("stdout")).map_err(Error::io("read standard output"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn check_size(&self) -> Result<()> {
        for name in ["stdout", "stderr"] {
            let size = self.path(name).metadata().map_or(0, |meta| meta.len());
            if size > LIMIT {
                return Err(Error::TooMuch { program: self.command.clone(), limit: LIMIT });
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn outputs(folder: &TempDir) -> Result<(File, File)> {
    let create = |name| File::create(folder.path().join(name)).map_err(Error::io(format!("create {name}")));
    Ok((create("stdout")?, create("stderr")?))
}
