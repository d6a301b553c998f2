//! The one place where etcd's errors become ours.
//!
//! A gRPC code comes first; text is looked at only where etcd uses one code for several things. What a connection failed of is
//! written by the layers below tonic, so there the chain of sources is read.

use std::{error::Error as StdError, time::Duration};

use reception_core::{Error, ErrorKind, Retry};

/// The name under which this backend reports.
pub(crate) const NAME: &str = "etcd";

const SLOW: Retry = Retry::After(Duration::from_secs(30));

/// What an answer of etcd or of the way to it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The answer was larger than this client reads: ask for less.
    AnswerTooLong,
    /// The server has no users; a client with a password goes on without.
    AuthOff,
    /// The revision has been compacted.
    Compacted,
    /// The role does not cover the key.
    Denied,
    /// The store is out of space.
    Full,
    /// The lease is there already.
    LeaseExists,
    /// The lease is not there.
    LeaseGone,
    /// The other side does not speak etcd's protocol, or says what it should not.
    Protocol,
    /// The request was larger than the server takes.
    RequestTooLarge,
    /// The token has expired, or the users have changed since.
    StaleToken,
    /// The certificates do not agree.
    Tls,
    /// The server takes fewer operations in one transaction.
    TooManyOperations,
    /// The call is not known there.
    Unsupported,
    /// Not reached, not answered, or not able to answer now.
    Unreached,
    /// The user or the password is wrong.
    WrongPassword,
}

// The gRPC codes used here, by their numbers: the library does not export its type for them.
const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const FAILED_PRECONDITION: i32 = 9;
const OUT_OF_RANGE: i32 = 11;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const DATA_LOSS: i32 = 15;
const UNAUTHENTICATED: i32 = 16;

/// An error of this backend.
pub(crate) fn error(kind: ErrorKind, operation: &'static str, context: impl Into<String>) -> Error {
    Error::new(kind, NAME, operation, context)
}

/// What an error of the library means.
pub(crate) fn meaning(native: &etcd_client::Error) -> Meaning {
    match native {
        etcd_client::Error::GRpcStatus(status) => {
            of_status(i32::from(status.code()), status.message(), || chain(native))
        }
        etcd_client::Error::TransportError(_) | etcd_client::Error::IoError(_) => {
            of_transport(&chain(native))
        }
        etcd_client::Error::LeaseKeepAliveError(text) if text.contains("not found") => Meaning::LeaseGone,
        etcd_client::Error::WatchError(text) => of_reason(text),
        etcd_client::Error::Utf8Error(_) | etcd_client::Error::InvalidMetadataValue(_) => Meaning::Protocol,
        _ => Meaning::Unreached,
    }
}

/// What the reason means that a watch was canceled with.
pub(crate) fn of_reason(reason: &str) -> Meaning {
    if reason.contains("compacted") {
        return Meaning::Compacted;
    }
    if reason.contains("auth token")
        || reason.contains("auth store is old")
        || reason.contains("user name is empty")
    {
        return Meaning::StaleToken;
    }
    if reason.contains("permission denied") { Meaning::Denied } else { Meaning::Unreached }
}

fn of_status(code: i32, message: &str, chain: impl FnOnce() -> String) -> Meaning {
    match code {
        UNAUTHENTICATED => Meaning::StaleToken,
        PERMISSION_DENIED => Meaning::Denied,
        NOT_FOUND if message.contains("lease") => Meaning::LeaseGone,
        OUT_OF_RANGE if message.contains("too large") => Meaning::AnswerTooLong,
        OUT_OF_RANGE => Meaning::Compacted,
        UNIMPLEMENTED if !message.contains("HTTP") => Meaning::Unsupported,
        INVALID_ARGUMENT
            if message.contains("auth store is old") || message.contains("user name is empty") =>
        {
            Meaning::StaleToken
        }
        INVALID_ARGUMENT if message.contains("authentication failed") => Meaning::WrongPassword,
        INVALID_ARGUMENT if message.contains("too large") => Meaning::RequestTooLarge,
        INVALID_ARGUMENT if message.contains("too many operations") => Meaning::TooManyOperations,
        FAILED_PRECONDITION if message.contains("lease already exists") => Meaning::LeaseExists,
        FAILED_PRECONDITION if message.contains("authentication is not enabled") => Meaning::AuthOff,
        FAILED_PRECONDITION if message.contains("user name not found") => Meaning::WrongPassword,
        RESOURCE_EXHAUSTED if message.contains("space exceeded") => Meaning::Full,
        RESOURCE_EXHAUSTED if message.contains("larger than max") || message.contains("too large") => {
            Meaning::RequestTooLarge
        }
        UNAVAILABLE | UNKNOWN | CANCELLED | INTERNAL | UNIMPLEMENTED => of_transport(&chain()),
        INVALID_ARGUMENT | FAILED_PRECONDITION | DATA_LOSS => Meaning::Protocol,
        _ => Meaning::Unreached,
    }
}

/// What cannot be another server's passing trouble shows in how the connection failed.
fn of_transport(chain: &str) -> Meaning {
    const FOREIGN: [&str; 7] = [
        "grpc-status header missing",
        "invalid content type",
        "invalid compression flag",
        "frame with invalid size",
        "invalid HTTP version parsed",
        "HTTP status code",
        "InvalidContentType",
    ];
    const TLS: [&str; 6] = [
        "peer certificate",
        "CertificateRequired",
        "certificate required",
        "fatal alert",
        "UnknownCA",
        "corrupt message",
    ];
    if TLS.iter().any(|mark| chain.contains(mark)) {
        return Meaning::Tls;
    }
    if FOREIGN.iter().any(|mark| chain.contains(mark)) {
        return Meaning::Protocol;
    }
    Meaning::Unreached
}

/// The messages of an error and of all its sources.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    // The library's error hides its status from `source`.
    let inner: Option<&(dyn StdError + 'static)> = match error.downcast_ref::<etcd_client::Error>() {
        Some(etcd_client::Error::GRpcStatus(status)) => status.source(),
        Some(etcd_client::Error::TransportError(transport)) => transport.source(),
        _ => error.source(),
    };
    let mut next = inner;
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// How a try failed, in a few words without a secret: etcd's own message or the last cause of a failed connection.
pub(crate) fn words(native: &etcd_client::Error) -> String {
    const LIMIT: usize = 200;
    let text = match native {
        etcd_client::Error::GRpcStatus(status) => match status.source() {
            Some(source) => last(source),
            None => status.message().to_owned(),
        },
        etcd_client::Error::TransportError(transport) => last(transport),
        etcd_client::Error::WatchError(text) | etcd_client::Error::LeaseKeepAliveError(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().filter(|letter| !letter.is_control()).take(LIMIT).collect()
}

fn last(error: &dyn StdError) -> String {
    let mut deepest = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        deepest = source.to_string();
        next = source.source();
    }
    deepest
}

/// An error of the library as one of ours; `address` is the endpoint that gave it.
pub(crate) fn native(operation: &'static str, address: &str, native: etcd_client::Error) -> Error {
    let meaning = meaning(&native);
    let context = format!("{address}: {}", words(&native));
    let (kind, retry) = kind(meaning);
    let ours = error(kind, operation, context).with_source(native);
    match retry {
        Some(retry) => ours.with_retry(retry),
        None => ours,
    }
}

fn kind(meaning: Meaning) -> (ErrorKind, Option<Retry>) {
    match meaning {
        Meaning::AnswerTooLong | Meaning::RequestTooLarge => (ErrorKind::TooLarge, None),
        // Never reaches a user: who asks for a revision or for a lease of its own choice looks for these two.
        Meaning::Compacted => (ErrorKind::NotFound, None),
        Meaning::LeaseExists => (ErrorKind::Conflict, None),
        Meaning::Protocol => (ErrorKind::Protocol, None),
        Meaning::Denied => (ErrorKind::Denied, None),
        Meaning::Full => (ErrorKind::Unavailable, Some(SLOW)),
        Meaning::LeaseGone => (ErrorKind::LeaseLost, None),
        Meaning::AuthOff | Meaning::StaleToken | Meaning::WrongPassword => (ErrorKind::Unauthenticated, None),
        // A rotated certificate heals it, so it is tried again, slowly.
        Meaning::Tls => (ErrorKind::Config, Some(SLOW)),
        // Of several writes in one transaction it never reaches a user: each then goes alone.
        Meaning::TooManyOperations | Meaning::Unsupported => (ErrorKind::Unsupported, None),
        Meaning::Unreached => (ErrorKind::Unavailable, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(code: i32, message: &str) -> Meaning {
        of_status(code, message, || message.to_owned())
    }

    #[test]
    fn one_code_of_etcd_has_several_meanings() {
        assert_eq!(meant(3, "etcdserver: revision of auth store is old"), Meaning::StaleToken);
        assert_eq!(
            meant(3, "etcdserver: authentication failed, invalid user ID or password"),
            Meaning::WrongPassword
        );
        assert_eq!(meant(3, "etcdserver: request is too large"), Meaning::RequestTooLarge);
        let many = "etcdserver: too many operations in txn request";
        assert_eq!(meant(3, many), Meaning::TooManyOperations);
        assert_eq!(meant(9, "etcdserver: lease already exists"), Meaning::LeaseExists);
        assert_eq!(meant(9, "etcdserver: authentication is not enabled"), Meaning::AuthOff);
        assert_eq!(meant(5, "etcdserver: requested lease not found"), Meaning::LeaseGone);
        assert_eq!(meant(8, "etcdserver: mvcc: database space exceeded"), Meaning::Full);
    }

    #[test]
    fn an_answer_that_is_too_long_is_not_a_compaction() {
        assert_eq!(
            meant(11, "Error, decoded message length too large: found 5 bytes"),
            Meaning::AnswerTooLong
        );
        assert_eq!(meant(11, "etcdserver: mvcc: required revision has been compacted"), Meaning::Compacted);
    }

    #[test]
    fn a_lost_connection_is_told_from_a_foreign_protocol_and_from_tls() {
        assert_eq!(meant(2, "transport error"), Meaning::Unreached);
        assert_eq!(meant(2, "h2 protocol error: error reading a body from connection"), Meaning::Unreached);
        assert_eq!(meant(1, "Timeout expired"), Meaning::Unreached);
        assert_eq!(
            meant(2, "grpc-status header missing, mapped from HTTP status code 404"),
            Meaning::Protocol
        );
        assert_eq!(meant(14, "invalid peer certificate: UnknownIssuer"), Meaning::Tls);
    }

    #[test]
    fn a_canceled_watch_tells_why() {
        let stale = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token";
        assert_eq!(of_reason(stale), Meaning::StaleToken);
        assert_eq!(of_reason("etcdserver: permission denied"), Meaning::Denied);
        assert_eq!(of_reason(""), Meaning::Unreached);
    }
}
