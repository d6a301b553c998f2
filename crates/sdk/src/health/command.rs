//! The check that runs a command.

use reception_core::{Result, async_trait};

use super::{Check, config};

/// Good is a shell command that ends with code 0.
///
/// `sh -c` runs it with neither input nor output, in a process group of its own, so that signals of the terminal do not reach it. When its
/// time is up, or when the gate closes or is dropped, the whole group is killed. What a command leaves running when it ends by itself is its own affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    line: String,
}

impl Command {
    /// Runs `line` in a shell.
    ///
    /// # Errors
    /// Config for a line that is blank or holds a NUL; Unsupported where there is no such shell, as on Windows.
    pub fn new(line: impl Into<String>) -> Result<Self> {
        let line = line.into();
        if line.trim().is_empty() || line.contains('\0') {
            return Err(config("the command of a check is blank or holds a NUL"));
        }
        if cfg!(unix) {
            Ok(Self { line })
        } else {
            let context = "commands are checks on Unix systems alone";
            Err(reception_core::Error::new(
                reception_core::ErrorKind::Unsupported,
                super::HEALTH,
                "gate",
                context,
            ))
        }
    }
}

#[async_trait]
impl Check for Command {
    #[cfg(unix)]
    async fn check(&mut self) -> Result<(), String> {
        use std::os::unix::process::ExitStatusExt as _;

        let mut running = group::Group::start(&self.line).map_err(|error| format!("sh: {error}"))?;
        let status = running.wait().await.map_err(|error| format!("sh: {error}"))?;
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(code), _) => Err(format!("the command ended with code {code}")),
            (None, signal) => Err(format!("the command was ended by signal {}", signal.unwrap_or_default())),
        }
    }

    #[cfg(not(unix))]
    async fn check(&mut self) -> Result<(), String> {
        Err(format!("no shell for {:?}", self.line))
    }
}

#[cfg(unix)]
mod group {
    use std::{
        io,
        process::{ExitStatus, Stdio},
    };

    use rustix::process::{Pid, Signal, kill_process_group};
    use tokio::process::{Child, Command};

    /// A command and its process group; dropping it kills the group.
    pub(super) struct Group {
        child: Child,
        /// None once the leader is reaped: its number may belong to somebody else then.
        leader: Option<Pid>,
    }

    impl Group {
        pub(super) fn start(line: &str) -> io::Result<Self> {
            let child = Command::new("sh")
                .arg("-c")
                .arg(line)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .kill_on_drop(true)
                .spawn()?;
            let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            Ok(Self { child, leader })
        }

        pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
            let status = self.child.wait().await?;
            self.leader = None;
            Ok(status)
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            if let Some(leader) = self.leader {
                // It fails when the whole group has ended already.
                let _ = kill_process_group(leader, Signal::KILL);
            }
        }
    }
}
