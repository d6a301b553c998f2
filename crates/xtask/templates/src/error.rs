//! The only place where an error of the store becomes one of ours.

use reception_core::{Error, ErrorKind};

/// The name of this backend in errors, spans and counters.
pub(crate) const NAME: &str = "__name__";

/// An error of this backend.
pub(crate) fn error(kind: ErrorKind, operation: &'static str, context: impl Into<String>) -> Error {
    Error::new(kind, NAME, operation, context)
}

/// The answer of every call that is not written yet; `what` it would do.
pub(crate) fn unwritten(operation: &'static str, what: &str) -> Error {
    error(ErrorKind::Unsupported, operation, format!("{what} is not written yet"))
}
