//! The only place where what the operating system says becomes an error of this library.

#[cfg(any(target_os = "linux", target_os = "macos"))]
use std::io;
use std::path::Path;

use reception_core::{Error, ErrorKind};

/// The name of this backend in errors, spans and counters.
pub(crate) const NAME: &str = "local";

/// What a call on files under `place` met. A folder that is gone may come back, and rights are changed by people.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) fn io(operation: &'static str, place: &Path, error: io::Error) -> Error {
    let (kind, what) = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Denied, "may not be used")
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => (ErrorKind::Unavailable, "is not there"),
        io::ErrorKind::InvalidData => (ErrorKind::Protocol, "holds what this library did not write"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Unavailable, "is full"),
        _ => (ErrorKind::Unavailable, "cannot be used"),
    };
    Error::new(kind, NAME, operation, format!("{} {what}", place.display())).with_source(error)
}

/// The URL, an option or the folder is wrong.
pub(crate) fn config(context: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, NAME, "dial", context)
}

/// The folder that was named, or found, is not fit.
pub(crate) fn refused(place: &Path, why: &str) -> Error {
    config(format!("{} is refused: {why}", place.display()))
}

/// Another owner holds the id.
pub(crate) fn taken(operation: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, NAME, operation, "another owner holds the id")
}

/// This client itself holds the id.
pub(crate) fn held(operation: &'static str, id: &str) -> Error {
    Error::new(ErrorKind::Conflict, NAME, operation, format!("this client already holds {id}"))
}

/// A claim is gone though its owner lives.
pub(crate) fn gone(operation: &'static str, what: &str) -> Error {
    Error::new(ErrorKind::LeaseLost, NAME, operation, what)
}

/// Others are busy with the same folder for longer than the timeout.
pub(crate) fn busy(operation: &'static str, place: &Path) -> Error {
    let context = format!("{} is held by a process that does not go on", place.display());
    Error::new(ErrorKind::Timeout, NAME, operation, context)
}

/// The client has ended.
pub(crate) fn closed(operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, NAME, operation, "the client is closed")
}

/// This machine has no locks of the kind that is needed.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) fn elsewhere() -> Error {
    Error::new(ErrorKind::Unsupported, NAME, "dial", "the scheme `local` is for Linux and macOS")
}
