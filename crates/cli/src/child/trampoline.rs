//! The step between us and the child: the same binary, which binds its life to ours and then becomes the child.

use std::{
    ffi::OsString,
    io::{self, Write},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{self, Command, ExitCode},
};

use rustix::{io::fcntl_dupfd_cloexec, stdio::dup2_stdin};

use super::socket;

/// What stands first on its command line. Nobody else is to call it.
pub(super) const WORD: &str = "__become-child";

/// What stands for the parent where a watchdog takes care.
const WATCHED: &str = "-";

/// Whose end is its end, as it stands on its command line.
pub(super) fn parent(watched: bool) -> String {
    if watched { WATCHED.to_owned() } else { process::id().to_string() }
}

/// Why it could not become the child, from what it wrote; nothing when it could.
pub(super) fn told(answer: &[u8]) -> Option<io::Error> {
    answer.try_into().ok().map(|number| io::Error::from_raw_os_error(i32::from_le_bytes(number)))
}

/// Becomes the child; returns only when that failed.
pub(super) fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let parent = arguments.next().unwrap_or_default();
    // Ours is stdin, where the child's own is to be.
    let Ok(socket) = fcntl_dupfd_cloexec(io::stdin(), 3) else { return ExitCode::FAILURE };
    let failed = become_child(&parent, &socket, arguments);
    let number = failed.raw_os_error().unwrap_or_default();
    // Without anybody to tell, nobody asks for the code either.
    let _ = UnixStream::from(socket).write_all(&number.to_le_bytes());
    ExitCode::FAILURE
}

fn become_child(
    parent: &OsString,
    socket: &OwnedFd,
    mut arguments: impl Iterator<Item = OsString>,
) -> io::Error {
    let bound = if *parent == *WATCHED { Ok(()) } else { bind(parent) };
    let stdin = bound.and_then(|()| socket::receive(socket));
    match stdin.and_then(|stdin| Ok(dup2_stdin(stdin)?)) {
        Ok(()) => Command::new(arguments.next().unwrap_or_default()).args(arguments).exec(),
        Err(error) => error,
    }
}

/// From now on the kernel kills us when the thread that started us ends.
#[cfg(target_os = "linux")]
fn bind(parent: &OsString) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before the kernel knew that we care.
    let alive = getppid().is_some_and(|now| *parent == *now.to_string());
    if alive { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(not(target_os = "linux"))]
fn bind(_: &OsString) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
