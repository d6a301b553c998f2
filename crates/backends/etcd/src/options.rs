//! What can be set, by URL or by builder.

use std::{fmt, path::PathBuf, time::Duration};

use reception_core::{DialUrl, ErrorKind, Opt, OptionSpec, Result, Secret};
use reception_kit::options::{
    CA, CERT, KEY, Login, PASSWORD_FILE, Tls, USER, check_hosts, check_span, with_port,
};

use crate::{
    error::{NAME, error},
    layout::Layout,
};

const TTL: Opt<Duration> =
    Opt::new("ttl", "how long a dead process may still be seen: the lease, in whole seconds").default("10s");
const TIMEOUT: Opt<Duration> = Opt::new("timeout", "how long one call may take").default("5s");
const TLS: Opt<bool> = Opt::new("tls", "speak TLS; implied by the next three and by etcd+https");

pub(crate) const OPTIONS: &[OptionSpec] = &[
    TTL.spec(),
    TIMEOUT.spec(),
    USER.spec(),
    PASSWORD_FILE.spec(),
    TLS.spec(),
    CA.spec(),
    CERT.spec(),
    KEY.spec(),
];

pub(crate) const SECURE: &str = "etcd+https";
const OPERATION: &str = "dial";
const PORT: u16 = 2379;
const LEAST_TTL: Duration = Duration::from_secs(1);
const MOST_TTL: Duration = Duration::from_secs(24 * 3600);
const LEAST_TIMEOUT: Duration = Duration::from_millis(50);
const MOST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// How to dial etcd: the same as the options of a URL, and an existing client.
///
/// ```
/// use reception_core::Secret;
/// use std::time::Duration;
///
/// let options = reception_etcd::Options::new(["h1:2379", "h2:2379"])
///     .namespace("prod")
///     .user("app", Secret::new("sesame"))
///     .ttl(Duration::from_secs(5));
/// assert!(!format!("{options:?}").contains("sesame"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    pub(crate) hosts: Vec<String>,
    pub(crate) namespace: String,
    pub(crate) ttl: Duration,
    pub(crate) timeout: Duration,
    pub(crate) login: Login,
    pub(crate) tls: Tls,
    pub(crate) client: Option<etcd_client::Client>,
}

impl Options {
    /// Dials these hosts, each `host[:port]` with IPv6 in brackets; the port is 2379 when left out.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            hosts: hosts.into_iter().map(Into::into).collect(),
            namespace: String::new(),
            ttl: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            login: Login::default(),
            tls: Tls::default(),
            client: None,
        }
    }

    /// Takes everything from a URL.
    ///
    /// # Errors
    ///
    /// Config for an unknown, half-given or unreadable option, a user given twice, and a namespace that breaks the limits (law L15).
    pub fn from_url(url: &DialUrl) -> Result<Self> {
        url.check(OPTIONS)?;
        let mut options = Self::new(url.hosts().iter().cloned());
        options.namespace = url.namespace()?;
        if let Some(ttl) = url.get(&TTL)? {
            options.ttl = ttl;
        }
        if let Some(timeout) = url.get(&TIMEOUT)? {
            options.timeout = timeout;
        }
        options.tls = Tls::from_url(NAME, url, SECURE)?;
        options.login = Login::from_url(NAME, url)?;
        Ok(options)
    }

    /// Sets the namespace, names joined by slashes; the default is `reception`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets how long a dead process may still be seen; the default is 10 s. The server grants whole seconds and at least about 2 s.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets how long one call may take; the default is 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the user and the password.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>, password: Secret) -> Self {
        self.login.set_user(user, Some(password));
        self
    }

    /// Sets a file that holds the password of the user; a line end at its end does not count.
    #[must_use]
    pub fn password_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.login.set_file(file);
        self
    }

    /// Speaks TLS; implied by the next three.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls.set(tls);
        self
    }

    /// Sets the PEM file of the authorities that sign the servers' certificates.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.set_ca(file);
        self
    }

    /// Sets the PEM file of our own certificate, for servers that ask for one.
    #[must_use]
    pub fn cert(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.set_cert(file);
        self
    }

    /// Sets the PEM file of our certificate's key.
    #[must_use]
    pub fn key(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.set_key(file);
        self
    }

    /// Uses a client that exists, with its connections, user and TLS as they are; hosts are then not dialled.
    ///
    /// It should be made with `with_require_leader(true)` and `with_keep_alive`, which this backend sets on its own connections: without
    /// them a watch on a server that was cut off stays silent.
    #[must_use]
    pub fn client(mut self, client: etcd_client::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Checks everything that does not need a file.
    pub(crate) fn checked(&self) -> Result<Layout> {
        let refuse = |why: &str| Err(error(ErrorKind::Config, OPERATION, why));
        check_span(NAME, "ttl", self.ttl, LEAST_TTL..=MOST_TTL)?;
        check_span(NAME, "timeout", self.timeout, LEAST_TIMEOUT..=MOST_TIMEOUT)?;
        match &self.client {
            None if self.hosts.is_empty() => return refuse("no host is given: etcd://HOST:2379"),
            Some(_) if self.login.has_user() || self.tls.is_on() => {
                return refuse("an existing client brings its own user and TLS");
            }
            _ => {}
        }
        check_hosts(NAME, &self.hosts)?;
        self.tls.check(NAME, cfg!(feature = "tls"))?;
        Layout::new(&self.namespace)
    }

    /// The time to live to ask for.
    pub(crate) fn whole_ttl(&self) -> Duration {
        let up = u64::from(self.ttl.subsec_nanos() > 0);
        Duration::from_secs(self.ttl.as_secs() + up)
    }

    /// The hosts with their ports.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.hosts.iter().map(|host| with_port(host, PORT)).collect()
    }
}

impl fmt::Debug for Options {
    // The existing client is left out: it prints its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, namespace, ttl, timeout, login, tls, client } = self;
        f.debug_struct("Options")
            .field("hosts", hosts)
            .field("namespace", namespace)
            .field("ttl", ttl)
            .field("timeout", timeout)
            .field("login", login)
            .field("tls", tls)
            .field("client", &client.is_some())
            .finish()
    }
}
