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
    /// It was refused, and a file may tell another token soon.
    pub(super) heals: bool,
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: Vec<u8>) -> Self {
        let filtered = headers.get(FILTERED).is_some_and(|value| value == "true");
        Self { status, index: index(headers), body, filtered, heals: false }
    }

    /// Whether the agent refused our token, or what it may do; older servers say so with a 500, a transaction with a 409.
    pub(super) fn is_refusal(&self) -> bool {
        let told = || ["Permission denied", "ACL not found"].iter().any(|words| self.says(words));
        match self.status.as_u16() {
            401 | 403 => true,
            409 | 500 => told(),
            _ => self.is_blind(),
        }
    }

    /// Whether it is no success, and these words are in it.
    pub(crate) fn says(&self, words: &str) -> bool {
        !self.status.is_success() && String::from_utf8_lossy(&self.body).contains(words)
    }

    /// Whether nothing is left of it of what there may be.
    fn is_blind(&self) -> bool {
        self.filtered && matches!(self.body.trim_ascii(), b"[]" | b"{}")
    }

    /// An empty list of which nothing may be read is a refusal: taken for an answer it would show living instances as gone (law L4).
    pub(crate) fn seen(self, operation: &'static str, what: &str) -> Result<Self> {
        if self.is_blind() {
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
