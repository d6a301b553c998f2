//! A program that runs beside us: it leads a process group of its own, and it never outlives us.
//!
//! ```text
//! we ── spawn ──► the same binary ── our stdin, over a socket ──► exec ──► the child
//!   ◄── the socket closes: it runs; a number comes: it cannot be run ──┘
//! ```
//! On Linux the binary between asks the kernel to end it with us; elsewhere a second process of it watches a pipe of ours
//! ([`watchdog`]). Only the child itself is bound to our life: what it started in turn gets the signals to its group, but where the kernel
//! watches it is not reached when we are killed.

mod group;
mod socket;
mod trampoline;
mod watchdog;

use std::{
    ffi::OsString,
    io,
    os::{
        fd::OwnedFd,
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::PathBuf,
    process::{self, Command, ExitCode, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};
use tokio::{
    io::AsyncReadExt,
    signal::unix::{Signal as Stream, SignalKind, signal},
};

use crate::{
    exit::{FAILED, Failure, NOT_FOUND, NOT_RUNNABLE},
    signals::Signals,
};

use self::watchdog::Watchdog;

/// How often a stopped group is looked at: nothing tells when a process that is not ours ends.
const LOOK: Duration = Duration::from_millis(20);
/// How often a killed group is looked at: a process that hangs in the kernel is not waited for longer.
const KILLED_LOOKS: u32 = 5;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    code: u8,
}

impl Ending {
    fn new(status: ExitStatus, terminated: bool) -> Self {
        let code = match (status.code(), status.signal()) {
            (Some(code), _) => code,
            (None, Some(signal)) if terminated && signal == Signal::TERM.as_raw() => 0,
            (None, signal) => 128 + signal.unwrap_or(0),
        };
        Self { code: u8::try_from(code).unwrap_or(u8::MAX) }
    }

    /// What a shell would call it: its code, or 128 and the signal that ended it; 0 when that was our SIGTERM.
    pub(crate) fn code(self) -> u8 {
        self.code
    }
}

/// One running program, leader of its own process group. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Child {
    child: process::Child,
    group: Pid,
    ends: Stream,
    ending: Option<Ending>,
    /// We told it to stop, so that what it left behind of its group is ours to end too.
    stopping: AtomicBool,
    terminated: AtomicBool,
    killed: AtomicBool,
    /// How often the group was looked at since it was killed.
    looks: u32,
    watchdog: Option<Watchdog>,
}

impl Child {
    /// Starts the program with its arguments, and returns once it runs. Call it on the main thread: Linux takes the end of the thread that
    /// started a process for the end of its parent.
    ///
    /// Dropping the future ends what was begun.
    pub(crate) async fn spawn(command: &[OsString], environment: &[(&str, String)]) -> Result<Self, Failure> {
        let name = command.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let begun = Self::begin(command, environment).await;
        begun.map_err(|error| Failure::new(FAILED, format!("cannot start {name}: {error}")))?.map_err(
            |error| {
                let code = match Errno::from_io_error(&error) {
                    Some(Errno::NOENT | Errno::NOTDIR) => NOT_FOUND,
                    _ => NOT_RUNNABLE,
                };
                Failure::new(code, format!("cannot run {name}: {error}"))
            },
        )
    }

    /// Outside is what kept us from trying, inside why the program cannot be run.
    async fn begin(command: &[OsString], environment: &[(&str, String)]) -> io::Result<io::Result<Self>> {
        let guarded = watchdog::guards();
        let ends = signal(SignalKind::child())?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut spawned = Command::new(own_binary()?);
        spawned.arg(trampoline::WORD).arg(trampoline::parent(guarded)).args(command).process_group(0);
        spawned
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)));
        let child = spawned.spawn()?;
        drop(spawned);
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        let mut child = Self {
            child,
            group,
            ends,
            ending: None,
            stopping: AtomicBool::new(false),
            terminated: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            looks: 0,
            watchdog: None,
        };
        if guarded {
            child.watchdog = Some(Watchdog::start(child.group)?);
        }
        // From here on it may run: whatever ends it with us is in place.
        socket::send(&ours, &io::stdin())?;
        ours.set_nonblocking(true)?;
        let mut answer = Vec::new();
        tokio::net::UnixStream::from_std(ours)?.read_to_end(&mut answer).await?;
        let Some(failed) = trampoline::told(&answer) else { return Ok(Ok(child)) };
        child.ended().await;
        Ok(Err(failed))
    }

    /// Waits for its end. Cancel safe, and the same again after it has returned.
    pub(crate) async fn ended(&mut self) -> Ending {
        loop {
            if let Some(ending) = self.looked() {
                return ending;
            }
            self.ends.recv().await;
        }
    }

    /// How it ended, if it did.
    fn looked(&mut self) -> Option<Ending> {
        if self.ending.is_none() {
            let terminated = self.terminated.load(Ordering::Relaxed);
            self.ending = match self.child.try_wait() {
                Ok(status) => status.map(|status| Ending::new(status, terminated)),
                // Somebody else reaped it, so how it ended cannot be known any more.
                Err(_) => Some(Ending { code: FAILED }),
            };
        }
        self.ending
    }

    /// Waits for its end and, when we stopped it, for that of all it started in its group. Cancel safe.
    pub(crate) async fn gone(&mut self) -> Ending {
        let ending = self.ended().await;
        while self.stopping.load(Ordering::Relaxed)
            && self.looks < KILLED_LOOKS
            && group::is_alive(self.group)
        {
            self.looks += u32::from(self.killed.load(Ordering::Relaxed));
            tokio::time::sleep(LOOK).await;
        }
        self.stopping.store(false, Ordering::Relaxed);
        ending
    }

    /// Asks the group to end: SIGTERM, and SIGCONT for those that a terminal or a person stopped.
    pub(crate) fn terminate(&self) {
        self.terminated.store(true, Ordering::Relaxed);
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Ends the group: SIGKILL.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.signal(Signal::KILL);
    }

    /// To the group, unless the child ended by itself: then what it left behind is not ours to end, and its number may be another's.
    fn signal(&self, signal: Signal) {
        if self.ending.is_none() {
            self.stopping.store(true, Ordering::Relaxed);
        }
        if self.stopping.load(Ordering::Relaxed) {
            // It fails when all have ended, which is what we want.
            let _ = kill_process_group(self.group, signal);
        }
    }

    /// SIGTERM, then SIGKILL after `kill_after` or at the next signal, whichever is first; returns when it has ended.
    pub(crate) async fn stop(&mut self, kill_after: Duration, signals: &mut Signals) -> Ending {
        self.terminate();
        tokio::select! {
            ending = self.gone() => return ending,
            () = tokio::time::sleep(kill_after) => {}
            () = signals.next() => {}
        }
        self.kill();
        self.gone().await
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.looked().is_none() {
            self.kill();
        }
    }
}

/// The program that runs now, also when its file was replaced meanwhile.
fn own_binary() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

/// Does what this binary was started for when that is no command but a part of running a child; returns None otherwise.
pub(crate) fn entered() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next()?.to_str()? {
        trampoline::WORD => Some(trampoline::run(arguments)),
        watchdog::WORD => Some(watchdog::run(arguments)),
        _ => None,
    }
}
