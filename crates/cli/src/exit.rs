//! What the command exits with, and how a failure is told.

use std::{io, process::ExitCode};

use reception::{Error, ErrorKind};

use crate::{
    output::{Broken, one_line},
    stderr,
};

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
            // A store that this build leaves out.
            ErrorKind::Unsupported if error.operation() == "dial" => MISUSED,
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

/// Says the one line that begins with `error: `.
pub(crate) fn complain(message: &str) {
    stderr::say(&format!("error: {}\n", one_line(message)));
}

/// Tells what clap has to say: help on stdout as any other output, a wrong argument on stderr with code 2.
pub(crate) fn misused(told: &clap::Error) -> ExitCode {
    if !told.use_stderr() {
        return code(told.print().map(|()| 0).map_err(|error| Broken::from(error).into()));
    }
    let plain = told.to_string();
    let shown = without_passwords(&plain);
    if shown == plain {
        // There is nowhere else to tell it.
        let _ = told.print();
    } else {
        stderr::say(&shown);
    }
    ExitCode::from(MISUSED)
}

/// The text with user and password of each URL hidden: clap repeats one that stands in the wrong place.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (word, rest) = part.split_at(part.find(char::is_whitespace).unwrap_or(part.len()));
        shown.push_str("://");
        match word.rsplit_once('@') {
            Some((_, host)) => shown.extend(["***@", host]),
            None => shown.push_str(word),
        }
        shown.push_str(rest);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_this_build_leaves_out_is_wrong_from_the_start() {
        let of = |operation| {
            Failure::from(Error::new(ErrorKind::Unsupported, "core", operation, "compiled out")).code
        };
        assert_eq!((of("dial"), of("register")), (MISUSED, FAILED));
    }

    #[test]
    fn a_url_in_the_wrong_place_loses_its_password() {
        let told = "invalid value 'etcd://u:hidden@h:1/x' for '[NAME]': \"etcd://u:hid/den@h:1/x\" is none";
        let shown = "invalid value 'etcd://***@h:1/x' for '[NAME]': \"etcd://***@h:1/x\" is none";
        assert_eq!(without_passwords(told), shown);
        for plain in ["", "a@b", "http://h/ and root@h", "://"] {
            assert_eq!(without_passwords(plain), plain);
        }
    }
}
