//! What a client may be told: the options of the URL and their typed form.

use std::time::Duration;

use reception_core::{DialUrl, ErrorKind, Opt, OptionSpec, Result};

use crate::error::error;

const TIMEOUT: Opt<Duration> = Opt::new("timeout", "the longest that one call may take").default("5s");

/// The options of a URL: parser, error texts and the README's table come from here.
pub(crate) const OPTIONS: &[OptionSpec] = &[TIMEOUT.spec()];

/// How a client reaches its store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The addresses of the store.
    pub hosts: Vec<String>,
    /// The part of the store to work in.
    pub namespace: String,
    /// The longest that one call may take.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { hosts: Vec::new(), namespace: String::new(), timeout: Duration::from_secs(5) }
    }
}

impl Options {
    /// Reads a URL.
    ///
    /// # Errors
    /// Config when no host is named, or an option is unknown, repeated or out of range.
    pub fn from_url(url: &DialUrl) -> Result<Self> {
        url.check(OPTIONS)?;
        if url.hosts().is_empty() {
            return Err(error(ErrorKind::Config, "dial", "the URL names no host"));
        }
        let mut options =
            Self { hosts: url.hosts().to_vec(), namespace: url.path().to_owned(), ..Self::default() };
        options.timeout = url.get(&TIMEOUT)?.unwrap_or(options.timeout);
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_hosts_namespace_and_options() {
        let options = Options::from_url(&"__name__://a:1,b:2/prod?timeout=2s".parse().unwrap()).unwrap();
        assert_eq!(options.hosts, ["a:1", "b:2"]);
        assert_eq!(options.timeout, Duration::from_secs(2));
    }
}
