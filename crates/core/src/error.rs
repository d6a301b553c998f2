//! One error for every backend: a kind to branch on, a retry class, and words for people.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How long a call that was denied waits before it is worth another try.
///
/// Rights and passwords are changed by people, so a fast retry only fills the store's log.
const SLOW_RETRY: Duration = Duration::from_secs(30);

/// What went wrong, in the terms of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller took the call back.
    Canceled,
    /// The client, guard or stream was closed.
    Closed,
    /// A URL, an option or a file named by one is wrong.
    Config,
    /// Another owner holds what was asked for.
    Conflict,
    /// The store knows us and refuses this.
    Denied,
    /// A defect of this library.
    Internal,
    /// A field of a service breaks a limit.
    InvalidInstance,
    /// A name or id breaks a limit.
    InvalidName,
    /// The lease or session behind a claim ended.
    LeaseLost,
    /// There is no runtime to work on.
    NoRuntime,
    /// What was asked for does not exist.
    NotFound,
    /// The store's answer makes no sense.
    Protocol,
    /// No answer in time; the outcome is unknown.
    Timeout,
    /// A record or an answer is over its size limit.
    TooLarge,
    /// The store does not accept who we say we are.
    Unauthenticated,
    /// The store cannot be reached or cannot serve now.
    Unavailable,
    /// The backend cannot do this.
    Unsupported,
}

impl ErrorKind {
    /// The kind in words, as it stands at the end of an error's text.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Closed => "closed",
            Self::Config => "configuration",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Internal => "internal",
            Self::InvalidInstance => "invalid instance",
            Self::InvalidName => "invalid name",
            Self::LeaseLost => "lease lost",
            Self::NoRuntime => "no runtime",
            Self::NotFound => "not found",
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::TooLarge => "too large",
            Self::Unauthenticated => "unauthenticated",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
        }
    }

    const fn retry(self) -> Retry {
        match self {
            Self::Unavailable | Self::Timeout | Self::LeaseLost | Self::Protocol => Retry::Backoff,
            Self::Denied | Self::Unauthenticated => Retry::After(SLOW_RETRY),
            _ => Retry::Never,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// Try again with backoff and jitter.
    Backoff,
    /// Try again, but not before this span has passed.
    After(Duration),
}

/// Why a call failed.
///
/// A clone is a pointer copy, so that one failure can reach many watchers. `Display` names the operation, the backend, what
/// happened and the kind; it never repeats [`source`](StdError::source) and never holds a secret.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    retry: Retry,
    backend: &'static str,
    operation: &'static str,
    context: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error; the retry class follows from the kind.
    #[must_use]
    pub fn new(
        kind: ErrorKind,
        backend: &'static str,
        operation: &'static str,
        context: impl Into<String>,
    ) -> Self {
        let context = context.into();
        Self(Arc::new(Inner { kind, retry: kind.retry(), backend, operation, context, source: None }))
    }

    /// Returns the error with another retry class.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        Arc::make_mut(&mut self.0).retry = retry;
        self
    }

    /// Returns the error with the failure that caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(source.into()));
        self
    }

    /// What went wrong: the part to branch on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The name of the backend that failed; `core` for checks made before any backend is asked.
    #[must_use]
    pub fn backend(&self) -> &'static str {
        self.0.backend
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What happened, in words, without operation, backend and kind.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, backend, operation, context, .. } = &*self.0;
        write!(f, "{operation} on {backend}: {context} ({kind})")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("backend", &self.0.backend)
            .field("operation", &self.0.operation)
            .field("context", &self.0.context)
            .field("retry", &self.0.retry)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// The name that errors of this crate's own checks carry as their backend.
pub(crate) const CORE: &str = "core";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_operation_backend_context_and_kind() {
        let error =
            Error::new(ErrorKind::Unavailable, "etcd", "list", "no endpoint answered: 127.0.0.1:2379");
        assert_eq!(error.to_string(), "list on etcd: no endpoint answered: 127.0.0.1:2379 (unavailable)");
    }

    #[test]
    fn display_does_not_repeat_the_source() {
        let error =
            Error::new(ErrorKind::Config, "core", "dial", "cannot read the file").with_source("secret place");
        assert!(!error.to_string().contains("secret place"));
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("secret place"));
    }

    #[test]
    fn a_clone_keeps_what_a_later_change_takes_away() {
        let first = Error::new(ErrorKind::Timeout, "core", "list", "late");
        let second = first.clone().with_retry(Retry::Never);
        assert_eq!(first.retry(), Retry::Backoff);
        assert_eq!(second.retry(), Retry::Never);
    }

    #[test]
    fn an_error_is_as_small_as_a_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
