//! The only place where a refusal of the store becomes an error of this library.

use reception_core::{Error, ErrorKind};

/// The name of this backend in errors, spans and counters.
pub(crate) const NAME: &str = "memory";

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The lease has ended, or never was.
    NoLease,
    /// The record is somebody else's.
    Taken,
    /// The changes since that revision are no longer in the log, or the data are not those of before.
    Forgotten,
    /// The record of the domain is not ours.
    OddDomain,
}

impl Refusal {
    pub(crate) fn during(self, operation: &'static str) -> Error {
        match self {
            Self::NoLease => Error::new(ErrorKind::LeaseLost, NAME, operation, "the lease has ended"),
            Self::Taken => Error::new(ErrorKind::Conflict, NAME, operation, "another owner holds the id"),
            Self::Forgotten => {
                Error::new(ErrorKind::Unavailable, NAME, operation, "older changes are no longer kept")
            }
            Self::OddDomain => Error::new(
                ErrorKind::Protocol,
                NAME,
                operation,
                "the record of the domain is not 32 hexadecimal digits",
            ),
        }
    }
}

/// The store cannot be reached by this client now; `endpoint` is what was tried.
pub(crate) fn unreachable(operation: &'static str, endpoint: &str, why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, NAME, operation, format!("{endpoint}: {why}"))
}

/// The client has ended.
pub(crate) fn closed(operation: &'static str, why: &str) -> Error {
    Error::new(ErrorKind::Closed, NAME, operation, why)
}

/// The URL or an option is wrong.
pub(crate) fn config(context: String) -> Error {
    Error::new(ErrorKind::Config, NAME, "dial", context)
}

/// This client itself holds what it asks for.
pub(crate) fn held(operation: &'static str, what: &str) -> Error {
    Error::new(ErrorKind::Conflict, NAME, operation, format!("this client already holds {what}"))
}
