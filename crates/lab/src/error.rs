//! What can go wrong while a test sets its stage.

use std::{io, path::PathBuf, time::Duration};

use crate::history::LineError;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the stage, never of what is under test.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program exited before it was ready.
    #[error("{program} exited early ({status}); its last lines:\n{logs}")]
    Exited {
        /// The program.
        program: String,
        /// How it exited.
        status: String,
        /// The end of its log.
        logs: String,
    },
    /// A command failed.
    #[error("{command} failed ({status}): {stderr}")]
    Failed {
        /// The command with its arguments.
        command: String,
        /// How it exited.
        status: String,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// A history has a line that is none.
    #[error("{}:{number}", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: LineError,
    },
    /// The operating system refused something.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// The refusal.
        #[source]
        source: io::Error,
    },
    /// A program is not installed.
    #[error(
        "{program} was not found: set {variable} to its path, or run `cargo xtask servers` to install it"
    )]
    Missing {
        /// The program looked for.
        program: &'static str,
        /// The variable that names its path.
        variable: &'static str,
    },
    /// No loopback port is left in the range that tests share.
    #[error("no free loopback port")]
    NoPort,
    /// A program wrote more than a test may read.
    #[error("{program} wrote more than {limit} bytes")]
    TooMuch {
        /// The program or address.
        program: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Something took longer than its bound.
    #[error("{what} took longer than {limit:?}; the last lines:\n{logs}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// The bound.
        limit: Duration,
        /// The end of the log, if there is one.
        logs: String,
    },
    /// A server answered something that is not understood.
    #[error("{what}")]
    Unexpected {
        /// The answer, in words.
        what: String,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn timeout(what: impl Into<String>, limit: Duration, logs: impl Into<String>) -> Self {
        Self::Timeout { what: what.into(), limit, logs: logs.into() }
    }

    pub(crate) fn unexpected(what: impl Into<String>) -> Self {
        Self::Unexpected { what: what.into() }
    }
}
