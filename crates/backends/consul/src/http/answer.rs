//! What an agent answered.

use hyper::{HeaderMap, StatusCode};
use reception_core::{ErrorKind, Result};

use crate::error::error;

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
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: Vec<u8>) -> Self {
        let filtered = headers.get(FILTERED).is_some_and(|value| value == "true");
        Self { status, index: index(headers), body, filtered }
    }

    /// An empty list of which nothing may be read is a refusal: taken for an answer it would show living instances as gone (law L4).
    pub(crate) fn seen(self, operation: &'static str, what: &str) -> Result<Self> {
        if self.filtered && matches!(self.body.trim_ascii(), b"[]" | b"{}") {
            let text = format!("{what}: the token may read nothing of it");
            return Err(error(ErrorKind::Denied, operation, text));
        }
        Ok(self)
    }
}

/// The index of an answer; a server never means less than one by it.
fn index(headers: &HeaderMap) -> u64 {
    headers.get(INDEX).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}
