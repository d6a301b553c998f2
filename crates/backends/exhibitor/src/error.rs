//! The one place where failures of Exhibitor become ours.

use reception_core::{Error, ErrorKind};

/// The name under which this backend reports.
pub(crate) const NAME: &str = "exhibitor";

/// What is done when Exhibitor is asked.
const FIND: &str = "find servers";

/// An error of this backend.
pub(crate) fn error(kind: ErrorKind, operation: &'static str, context: impl Into<String>) -> Error {
    Error::new(kind, NAME, operation, context)
}

/// Something is wrong with the options.
pub(crate) fn config(context: impl Into<String>) -> Error {
    error(ErrorKind::Config, "dial", context)
}

/// Exhibitor did not answer with servers.
pub(crate) fn unfound(kind: ErrorKind, context: impl Into<String>) -> Error {
    error(kind, FIND, context)
}

/// Nobody of all that were asked told servers: the kind is theirs when they agree, else that none is available.
pub(crate) fn all_failed(failures: Vec<(String, Error)>) -> Error {
    let kind = match failures.split_first() {
        Some(((_, first), others)) if others.iter().all(|(_, other)| other.kind() == first.kind()) => {
            first.kind()
        }
        _ => ErrorKind::Unavailable,
    };
    let told: Vec<String> =
        failures.iter().map(|(place, error)| format!("{place}: {}", error.context())).collect();
    let error = unfound(kind, format!("no Exhibitor tells servers; {}", told.join("; ")));
    match failures.into_iter().next() {
        Some((_, cause)) => error.with_source(cause),
        None => error,
    }
}

/// What an answer with this status means, unless it is the good one.
pub(crate) fn status(code: u16) -> Option<Error> {
    let (kind, why) = match code {
        200 => return None,
        300..=399 => (ErrorKind::Protocol, ", a redirect, which is not followed"),
        401 => (ErrorKind::Unauthenticated, ": the user or the password is wrong"),
        403 => (ErrorKind::Denied, ": the user may not read the list"),
        500..=599 => (ErrorKind::Unavailable, ""),
        _ => (ErrorKind::Protocol, ""),
    };
    Some(unfound(kind, format!("answered {code}{why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_all_is_kept_and_each_is_named() {
        let denied = || unfound(ErrorKind::Denied, "answered 403: the user may not read the list");
        let both = all_failed(vec![("e1:8080".to_owned(), denied()), ("e2:8080".to_owned(), denied())]);
        assert_eq!(both.kind(), ErrorKind::Denied);
        let mixed = vec![
            ("e1:8080".to_owned(), denied()),
            ("e2:8080".to_owned(), unfound(ErrorKind::Protocol, "answered 302")),
        ];
        assert_eq!(
            all_failed(mixed).to_string(),
            "find servers on exhibitor: no Exhibitor tells servers; e1:8080: answered 403: the user may not read the list; e2:8080: answered 302 (unavailable)"
        );
    }

    #[test]
    fn only_200_is_good() {
        assert!(status(200).is_none());
        for (code, kind) in [
            (204, ErrorKind::Protocol),
            (302, ErrorKind::Protocol),
            (401, ErrorKind::Unauthenticated),
            (403, ErrorKind::Denied),
            (404, ErrorKind::Protocol),
            (406, ErrorKind::Protocol),
            (500, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
        ] {
            assert_eq!(status(code).unwrap().kind(), kind, "{code}");
        }
    }
}
