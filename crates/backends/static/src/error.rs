//! The errors of a list that cannot be written.

use reception_core::{Error, ErrorKind};

/// The name of this backend in errors, spans and counters.
pub(crate) const NAME: &str = "static";

/// The URL or an option is wrong.
pub(crate) fn config(context: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, NAME, "dial", context)
}

/// A fixed list cannot do that.
pub(crate) fn unsupported(operation: &'static str, why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, NAME, operation, why)
}
