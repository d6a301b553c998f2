//! What a client may be told: the options of the URL and their typed form.

use std::time::Duration;

use reception_core::{DialUrl, Opt, OptionSpec, Result, limits::MAX_NAME};

use crate::{error::config, layout::Namespace};

const TTL: Opt<Duration> = Opt::new("ttl", "how long a dead process may still be seen").default("10s");
const TIMEOUT: Opt<Duration> = Opt::new("timeout", "the longest that one call may take").default("5s");

/// The options of a `memory:` URL.
pub(crate) const OPTIONS: &[OptionSpec] = &[TTL.spec(), TIMEOUT.spec()];

/// Below this a busy machine would end healthy leases.
const LEAST_TTL: Duration = Duration::from_millis(100);

/// How a client of the in-process store behaves.
///
/// ```
/// use std::time::Duration;
/// use reception_memory::Options;
///
/// let options = Options::default().name("orders").namespace("prod").ttl(Duration::from_secs(3));
/// assert_eq!(options.timeout, Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The name under which the store is shared inside the process; none means a store of its own.
    pub name: Option<String>,
    /// The part of the store to work in; clients of two namespaces do not see each other.
    pub namespace: String,
    /// How long a dead process may still be seen: the lease of registrations and of each candidate.
    pub ttl: Duration,
    /// The longest that one call may take.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: None,
            namespace: String::new(),
            ttl: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// Reads a `memory:` URL: the host is the name, the path the namespace.
    ///
    /// # Errors
    /// Config when the URL holds a user, several hosts, a bad name or namespace, or an option that is unknown, repeated or out of range.
    pub fn from_url(url: &DialUrl) -> Result<Self> {
        url.check(OPTIONS)?;
        if url.user().is_some() {
            return Err(config("a memory: URL takes no user".to_owned()));
        }
        let name = match url.hosts() {
            [] => None,
            [name] => Some(name.clone()),
            _ => return Err(config("a memory: URL takes one name, not several".to_owned())),
        };
        let mut options = Self { name, namespace: url.namespace()?, ..Self::default() };
        options.ttl = url.get(&TTL)?.unwrap_or(options.ttl);
        options.timeout = url.get(&TIMEOUT)?.unwrap_or(options.timeout);
        options.check()?;
        Ok(options)
    }

    /// Sets the name under which the store is shared inside the process.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the part of the store to work in.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets how long a dead process may still be seen.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets the longest that one call may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Checks every field and takes the namespace apart.
    pub(crate) fn check(&self) -> Result<Namespace> {
        if self.ttl < LEAST_TTL {
            return Err(config(format!("option \"ttl\" is {:?}, the least is {LEAST_TTL:?}", self.ttl)));
        }
        if self.timeout.is_zero() {
            return Err(config("option \"timeout\" is zero".to_owned()));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if self
            .name
            .as_ref()
            .is_some_and(|name| name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain))
        {
            return Err(config(format!(
                "the name of a store is 1 to {MAX_NAME} of letters, digits, '.', '_' and '-'"
            )));
        }
        Namespace::parse(&self.namespace)
    }

    /// How long before the end of a lease its holder steps down: a tenth, and enough for a busy machine to notice.
    pub(crate) fn margin(&self) -> Duration {
        (self.ttl / 10).max(Duration::from_millis(200)).min(self.ttl / 4)
    }

    /// How often a lease is renewed, so that two renewals may fail.
    pub(crate) fn renewal(&self) -> Duration {
        self.ttl / 3
    }

    /// The longest that one renewal may take, so that another can follow before the end.
    pub(crate) fn renewal_limit(&self) -> Duration {
        (self.ttl / 4).min(self.timeout)
    }

    /// The longest pause before a renewal that failed is tried again: short, so that a fault costs hardly more than it lasts.
    pub(crate) fn retry(&self) -> Duration {
        (self.ttl / 25).min(Duration::from_millis(400))
    }
}
