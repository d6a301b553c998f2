//! Paths and queries: built of parts, escaped here and nowhere else.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a segment. Newer servers refuse keys that come escaped, so nothing that we write there is.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b',');

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    plain: String,
    query: String,
}

impl Path {
    /// Of a path that is known, below `/v1`.
    pub(crate) fn of(fixed: &str) -> Self {
        Self { plain: format!("/v1/{fixed}"), query: String::new() }
    }

    /// One more segment.
    pub(crate) fn then(mut self, segment: &str) -> Self {
        self.plain.push('/');
        self.plain.extend(utf8_percent_encode(segment, SEGMENT));
        self
    }

    /// A key, whose slashes stay.
    pub(crate) fn key(self, key: &str) -> Self {
        key.split('/').fold(self, Self::then)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        self.query.extend(utf8_percent_encode(value, SEGMENT));
        self
    }

    pub(crate) fn flag(mut self, name: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self
    }

    /// Without the query, for errors.
    pub(crate) fn plain(&self) -> &str {
        &self.plain
    }

    /// As it is sent, with what goes with every request.
    pub(crate) fn target(&self, scope: &[(&'static str, String)]) -> String {
        let all = scope.iter().fold(self.clone(), |path, (name, value)| path.with(name, value));
        format!("{}{}", all.plain, all.query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_cannot_leave_its_place() {
        let path = Path::of("agent/service/deregister").then("a/b?c#d%2Fé ü").with("filter", "x == \"y\"&z");
        assert_eq!(
            path.target(&[("dc", "eu 1".to_owned())]),
            "/v1/agent/service/deregister/a%2Fb%3Fc%23d%252F%C3%A9%20%C3%BC?filter=x%20%3D%3D%20%22y%22%26z&dc=eu%201"
        );
    }

    #[test]
    fn a_key_of_ours_goes_as_it_is() {
        let path = Path::of("kv").key("prod/reaper-1.x/.lock").flag("consistent");
        assert_eq!(path.target(&[]), "/v1/kv/prod/reaper-1.x/.lock?consistent");
    }
}
