//! The one place where Consul's answers become our errors.

use std::time::Duration;

use hyper::StatusCode;
use reception_core::{Error, ErrorKind, Retry};

/// The name under which this backend reports.
pub(crate) const NAME: &str = "consul";

/// The most of an answer's text that an error repeats.
const SHOWN: usize = 160;
/// For what another certificate, port or right has to heal.
pub(crate) const SLOW: Retry = Retry::After(Duration::from_secs(30));
/// For an agent that has too much to do: who leads or lives must not wait long for the next try.
const BUSY: Retry = Retry::After(Duration::from_secs(5));
/// For a refusal while a file may tell another token at any time.
pub(crate) const HEALS: Retry = Retry::After(Duration::from_secs(2));

/// An error of this backend.
pub(crate) fn error(kind: ErrorKind, operation: &'static str, context: impl Into<String>) -> Error {
    Error::new(kind, NAME, operation, context)
}

/// What a status other than 200 means to the caller of `operation`; `what` is what was tried.
pub(crate) fn refused(operation: &'static str, what: &str, status: StatusCode, body: &[u8]) -> Error {
    let said = said(body);
    let (kind, retry) = match status.as_u16() {
        401 => (ErrorKind::Unauthenticated, None),
        403 if said.contains("ACL not found") => (ErrorKind::Unauthenticated, None),
        403 => (ErrorKind::Denied, None),
        404 => (ErrorKind::NotFound, None),
        405 | 501 => (ErrorKind::Unsupported, None),
        409 => (ErrorKind::Conflict, None),
        413 => (ErrorKind::TooLarge, None),
        429 => (ErrorKind::Unavailable, Some(BUSY)),
        // What Go's server says to one that does not speak TLS.
        400 if said.contains("HTTPS server") => (ErrorKind::Config, Some(SLOW)),
        400 if said.contains("Enterprise") => (ErrorKind::Unsupported, None),
        400 => (ErrorKind::InvalidInstance, None),
        // Older servers say so with a 500.
        500 if said.contains("ACL not found") => (ErrorKind::Unauthenticated, None),
        500 if said.contains("Permission denied") => (ErrorKind::Denied, None),
        500..600 => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Protocol, None),
    };
    let why = if said.is_empty() { String::new() } else { format!(": {said}") };
    // What does not exist of ours is asked for by paths that do.
    let doubt = if kind == ErrorKind::NotFound { "; is it Consul of 1.8 or later?" } else { "" };
    let text = format!("{what}: the agent answered {}{why}{doubt}", status.as_u16());
    let error = error(kind, operation, text);
    match retry {
        Some(retry) => error.with_retry(retry),
        None => error,
    }
}

/// The first line of what a body says, short and without control characters.
fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]).into_owned();
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

/// An answer that is not what it should be.
pub(crate) fn nonsense(operation: &'static str, what: &str, why: impl std::fmt::Display) -> Error {
    error(ErrorKind::Protocol, operation, format!("{what}: the answer is not what it should be: {why}"))
}

/// Whether the agent refused our token, or what it may do.
pub(crate) fn is_about_us(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Denied)
}

/// Whether the store could not be reached, did not answer in time, or is not trusted: another try, or another agent, may help.
pub(crate) fn passes(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Protocol | ErrorKind::Config
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_tried_and_what_the_agent_said() {
        let error = refused("register", "writing api:one", StatusCode::FORBIDDEN, b"Permission denied\nmore");
        assert_eq!(
            error.to_string(),
            "register on consul: writing api:one: the agent answered 403: Permission denied (denied)"
        );
        assert_eq!(
            refused("x", "y", StatusCode::FORBIDDEN, b"ACL not found").kind(),
            ErrorKind::Unauthenticated
        );
        let plain =
            refused("x", "y", StatusCode::BAD_REQUEST, b"Client sent an HTTP request to an HTTPS server.");
        assert_eq!(plain.kind(), ErrorKind::Config);
        assert_eq!(refused("x", "y", StatusCode::INTERNAL_SERVER_ERROR, b"").kind(), ErrorKind::Unavailable);
        let busy = refused("x", "y", StatusCode::TOO_MANY_REQUESTS, b"Your IP is issuing too many requests");
        assert_eq!((busy.kind(), busy.retry()), (ErrorKind::Unavailable, BUSY));
    }

    #[test]
    fn a_long_answer_is_not_repeated() {
        let error = refused("x", "y", StatusCode::BAD_GATEWAY, "z".repeat(100_000).as_bytes());
        assert!(error.to_string().len() < 300, "{error}");
    }
}
