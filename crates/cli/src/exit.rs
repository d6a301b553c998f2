//! What the command exits with, and how a failure is told.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use reception::{Error, ErrorKind};

use crate::output::Broken;

/// Any failure that has no code of its own.
pub(crate) const FAILED: u8 = 1;
/// What was asked for is wrong, known before any I/O.
pub(crate) const MISUSED: u8 = 2;
/// The registration was lost, or with `--once` the leadership.
pub(crate) const LOST: u8 = 3;
/// The election has no leader.
pub(crate) const VACANT: u8 = 4;
/// The child's program cannot be run.
pub(crate) const NOT_RUNNABLE: u8 = 126;
/// There is no such program.
pub(crate) const NOT_FOUND: u8 = 127;

/// The code of a command that ended as it should, or why it did not.
pub(crate) type Outcome<T = u8> = Result<T, Failure>;

/// Why the command ends, and with what code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    /// None when there is nobody left to tell.
    message: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// The same with the code of a child, which goes before ours.
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Writes the line of a failure that does not decide the code, if there is anybody to tell.
    pub(crate) fn tell(&self) {
        if let Some(message) = &self.message {
            complain(message);
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Config | ErrorKind::InvalidName | ErrorKind::InvalidInstance => MISUSED,
            // A record is measured before it is sent; an answer that is too large comes from `list` and its like.
            ErrorKind::TooLarge if matches!(error.operation(), "check" | "encode" | "register" | "elect") => {
                MISUSED
            }
            _ => FAILED,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Pipe => Self { code: 0, message: None },
            Broken::Failed(error) => Self::new(FAILED, format!("cannot write what happened: {error}")),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(FAILED, error.to_string())
    }
}

/// Tells a failure in one line and turns the outcome into the code.
pub(crate) fn code(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.code)
        }
    }
}

/// Writes the one line that begins with `error: `. Nothing is left to do when that cannot be written either.
pub(crate) fn complain(message: &str) {
    let line = format!("error: {}\n", crate::output::one_line(message));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Tells what clap has to say: help on stdout with code 0, a wrong argument on stderr with code 2.
pub(crate) fn misused(told: &clap::Error) -> ExitCode {
    let printed = told.print().is_ok();
    match told.exit_code() {
        0 if printed => ExitCode::SUCCESS,
        0 => ExitCode::FAILURE,
        _ => ExitCode::from(MISUSED),
    }
}
