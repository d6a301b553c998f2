//! The one place where ZooKeeper's errors become ours.

use std::time::Duration;

use reception_core::{Error, ErrorKind, Retry};
use zookeeper_client as zk;

/// The name under which this backend reports.
pub(crate) const NAME: &str = "zookeeper";

const SLOW: Retry = Retry::After(Duration::from_secs(30));

/// An error of this backend.
pub(crate) fn error(kind: ErrorKind, operation: &'static str, context: impl Into<String>) -> Error {
    Error::new(kind, NAME, operation, context)
}

/// What an error of the library means to the caller of `operation`; `what` is what was tried.
pub(crate) fn native(operation: &'static str, what: &str, native: zk::Error) -> Error {
    let (kind, retry, why) = match &native {
        zk::Error::NoAuth => (ErrorKind::Denied, None, "the rights do not cover it"),
        zk::Error::InvalidAcl => {
            (ErrorKind::Denied, None, "the server knows no user to make the owner: are there credentials?")
        }
        zk::Error::AuthFailed => (ErrorKind::Unauthenticated, None, "the server refused the credentials"),
        zk::Error::SessionExpired => (ErrorKind::LeaseLost, None, "the session has expired"),
        zk::Error::NoNode => (ErrorKind::NotFound, None, "it is not there"),
        zk::Error::NodeExists | zk::Error::BadVersion | zk::Error::NotEmpty => {
            (ErrorKind::Conflict, None, "somebody else was faster")
        }
        zk::Error::QuotaExceeded => (ErrorKind::Unavailable, Some(SLOW), "the quota of the path is used up"),
        zk::Error::Unimplemented => {
            (ErrorKind::Unsupported, None, "the server does not know the request: it is older than 3.6")
        }
        zk::Error::NoChildrenForEphemerals
        | zk::Error::BadArguments(_)
        | zk::Error::UnmarshalError { .. }
        | zk::Error::MarshallingError
        | zk::Error::UnexpectedErrorCode(_) => {
            (ErrorKind::Protocol, None, "the answer is not what it should be")
        }
        _ => (ErrorKind::Unavailable, None, "no answer"),
    };
    let error = error(kind, operation, format!("{what}: {why}")).with_source(native);
    match retry {
        Some(retry) => error.with_retry(retry),
        None => error,
    }
}

/// Whether the request may have been carried out, or still be.
pub(crate) fn is_unclear(native: &zk::Error) -> bool {
    matches!(
        native,
        zk::Error::ConnectionLoss
            | zk::Error::Timeout
            | zk::Error::Custom(_)
            | zk::Error::UnexpectedError(_)
            | zk::Error::ClientClosed
            | zk::Error::SessionExpired
            | zk::Error::SessionMoved
            | zk::Error::NoHosts
            | zk::Error::Throttled
            | zk::Error::NotReadOnly
    )
}

/// Whether waiting a little for the store may help: else the caller is told at once.
pub(crate) fn passes(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::LeaseLost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_tried_and_why_it_failed() {
        let error = native("register", "creating /prod/api/i-1", zk::Error::NoAuth);
        assert_eq!(
            error.to_string(),
            "register on zookeeper: creating /prod/api/i-1: the rights do not cover it (denied)"
        );
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(30)));
    }

    #[test]
    fn a_lost_connection_is_no_answer_and_its_outcome_unclear() {
        assert_eq!(native("list", "x", zk::Error::ConnectionLoss).kind(), ErrorKind::Unavailable);
        assert!(is_unclear(&zk::Error::ConnectionLoss));
        assert!(!is_unclear(&zk::Error::NodeExists));
    }
}
