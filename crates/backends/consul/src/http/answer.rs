//! What an agent answered.

use hyper::{HeaderMap, StatusCode};
use reception_core::{Error, ErrorKind, Result};

use crate::error::{HEALS, error, is_about_us, refused};

const INDEX: &str = "x-consul-index";
/// From Consul 1.11 on: what the token may not read was left out.
const FILTERED: &str = "x-consul-results-filtered-by-acls";

/// What an agent answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The index to wait on; zero when there is none.
    pub(crate) index: u64,
    pub(crate) body: Vec<u8>,
    filtered: bool,
    /// It was asked with a token that may be another one soon.
    heals: bool,
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: Vec<u8>, heals: bool) -> Self {
        let filtered = headers.get(FILTERED).is_some_and(|value| value == "true");
        Self { status, index: index(headers), body, filtered, heals }
    }

    /// An empty list of which nothing may be read is a refusal: taken for an answer it would show living instances as gone (law L4).
    pub(crate) fn seen(self, operation: &'static str, what: &str) -> Result<Self> {
        if self.filtered && matches!(self.body.trim_ascii(), b"[]" | b"{}") {
            let text = format!("{what}: the token may read nothing of it");
            return Err(self.healing(error(ErrorKind::Denied, operation, text)));
        }
        Ok(self)
    }

    /// What it means to the caller of `operation`, if it is no success; `what` is what was tried.
    pub(crate) fn refusal(&self, operation: &'static str, what: &str) -> Error {
        self.healing(refused(operation, what, self.status, &self.body))
    }

    /// A transaction tells in words alone that a right is missing.
    pub(crate) fn denied(&self, operation: &'static str, what: &str) -> Error {
        self.healing(error(
            ErrorKind::Denied,
            operation,
            format!("{what}: the agent answered: Permission denied"),
        ))
    }

    fn healing(&self, failed: Error) -> Error {
        if self.heals && is_about_us(&failed) { failed.with_retry(HEALS) } else { failed }
    }
}

/// The index of an answer; a server never means less than one by it.
fn index(headers: &HeaderMap) -> u64 {
    headers.get(INDEX).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}
