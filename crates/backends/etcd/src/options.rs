//! What can be set, by URL or by builder.

use std::{fmt, path::PathBuf, time::Duration};

use reception_core::{DialUrl, ErrorKind, Opt, OptionSpec, Result, Secret};

use crate::{error::error, layout::Layout, session::User};

const TTL: Opt<Duration> =
    Opt::new("ttl", "how long a dead process may still be seen: the lease, in whole seconds").default("10s");
const TIMEOUT: Opt<Duration> = Opt::new("timeout", "how long one call may take").default("5s");
const USER: Opt<String> = Opt::new("user", "the user, if not before the hosts").requires(&["password_file"]);
const PASSWORD_FILE: Opt<PathBuf> = Opt::new("password_file", "a file with the user's password");
const TLS: Opt<bool> = Opt::new("tls", "speak TLS; implied by the next three and by etcd+https");
const CA: Opt<PathBuf> = Opt::new("ca", "PEM file of the authorities that sign the servers' certificates");
const CERT: Opt<PathBuf> = Opt::new("cert", "PEM file of our certificate").requires(&["key", "ca"]);
const KEY: Opt<PathBuf> = Opt::new("key", "PEM file of our certificate's key").requires(&["cert"]);

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
const MOST_PASSWORD: u64 = 4096;

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
    pub(crate) user: Option<(String, Option<Secret>)>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) tls: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
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
            user: None,
            password_file: None,
            tls: false,
            ca: None,
            cert: None,
            key: None,
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
        options.password_file = url.get(&PASSWORD_FILE)?;
        options.ca = url.get(&CA)?;
        options.cert = url.get(&CERT)?;
        options.key = url.get(&KEY)?;
        let flag = url.get(&TLS)?;
        let files = options.ca.is_some() || options.cert.is_some();
        if flag == Some(false) && (files || url.scheme() == SECURE) {
            return Err(error(
                ErrorKind::Config,
                OPERATION,
                "option \"tls\" is false beside what implies it",
            ));
        }
        options.tls = flag == Some(true) || files || url.scheme() == SECURE;
        let before = url.user().map(|(name, password)| (name.to_owned(), password.cloned()));
        let given: Option<String> = url.get(&USER)?;
        options.user = match (before, given) {
            (Some(_), Some(_)) => {
                return Err(error(
                    ErrorKind::Config,
                    OPERATION,
                    "the user is given twice: before the hosts and as option \"user\"",
                ));
            }
            (before, given) => before.or(given.map(|name| (name, None))),
        };
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
        self.user = Some((user.into(), Some(password)));
        self
    }

    /// Sets a file that holds the password of the user; a line end at its end does not count.
    #[must_use]
    pub fn password_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.password_file = Some(file.into());
        self
    }

    /// Speaks TLS; implied by the next three.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Sets the PEM file of the authorities that sign the servers' certificates.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca = Some(file.into());
        self.tls = true;
        self
    }

    /// Sets the PEM file of our own certificate, for servers that ask for one.
    #[must_use]
    pub fn cert(mut self, file: impl Into<PathBuf>) -> Self {
        self.cert = Some(file.into());
        self.tls = true;
        self
    }

    /// Sets the PEM file of our certificate's key.
    #[must_use]
    pub fn key(mut self, file: impl Into<PathBuf>) -> Self {
        self.key = Some(file.into());
        self.tls = true;
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
        if self.ttl < LEAST_TTL || self.ttl > MOST_TTL {
            return refuse(&format!(
                "option \"ttl\" is {:?}, not between {LEAST_TTL:?} and {MOST_TTL:?}",
                self.ttl
            ));
        }
        if self.timeout < LEAST_TIMEOUT || self.timeout > MOST_TIMEOUT {
            return refuse(&format!(
                "option \"timeout\" is {:?}, not between {LEAST_TIMEOUT:?} and {MOST_TIMEOUT:?}",
                self.timeout
            ));
        }
        match &self.client {
            None if self.hosts.is_empty() => return refuse("no host is given"),
            Some(_) if self.user.is_some() || self.tls => {
                return refuse("an existing client brings its own user and TLS");
            }
            _ => {}
        }
        for (at, host) in self.hosts.iter().enumerate() {
            if host.contains(['/', '@', '?', '#']) || host.trim() != host || host.is_empty() {
                return refuse(&format!("host {} is not of the form host[:port]", at + 1));
            }
        }
        if self.cert.is_some() != self.key.is_some() {
            return refuse("options \"cert\" and \"key\" need each other");
        }
        if self.tls && self.ca.is_none() {
            return refuse("TLS needs option \"ca\": no authority is trusted unless it is named");
        }
        if self.tls && !cfg!(feature = "tls") {
            return refuse("TLS is compiled out: turn the feature \"tls\" on");
        }
        Layout::new(&self.namespace)
    }

    /// The time to live to ask for.
    pub(crate) fn whole_ttl(&self) -> Duration {
        let up = u64::from(self.ttl.subsec_nanos() > 0);
        Duration::from_secs(self.ttl.as_secs() + up)
    }

    /// The user with the password, which may be in a file.
    pub(crate) fn credentials(&self) -> Result<Option<User>> {
        let refuse = |why: String| Err(error(ErrorKind::Config, OPERATION, why));
        match (&self.user, &self.password_file) {
            (None, None) => Ok(None),
            (None, Some(_)) => refuse("option \"password_file\" needs a user".to_owned()),
            (Some((_, Some(_))), Some(_)) => refuse("the password is given twice".to_owned()),
            (Some((_, None)), None) => refuse("the user has no password".to_owned()),
            (Some((name, Some(password))), None) => {
                Ok(Some(User { name: name.clone(), password: password.clone() }))
            }
            (Some((name, None)), Some(file)) => {
                let wrong =
                    |what: &dyn fmt::Display| format!("option \"password_file\": {}: {what}", file.display());
                let size = std::fs::metadata(file).map(|about| about.len());
                if size.as_ref().is_ok_and(|size| *size > MOST_PASSWORD) {
                    return refuse(wrong(&format!("has over {MOST_PASSWORD} bytes")));
                }
                let text = match std::fs::read_to_string(file) {
                    Ok(text) => Secret::new(text.trim_end_matches(['\r', '\n'])),
                    Err(error) => return refuse(wrong(&error.kind())),
                };
                if text.expose().is_empty() {
                    return refuse(wrong(&"is empty"));
                }
                Ok(Some(User { name: name.clone(), password: text }))
            }
        }
    }

    /// The hosts with their ports.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let with_port = |host: &String| {
            let name_end = host.rfind(']').unwrap_or(0);
            if host[name_end..].contains(':') { host.clone() } else { format!("{host}:{PORT}") }
        };
        self.hosts.iter().map(with_port).collect()
    }
}

impl fmt::Debug for Options {
    // The existing client is left out: it prints its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, namespace, ttl, timeout, user, password_file, tls, ca, cert, key, client } = self;
        f.debug_struct("Options")
            .field("hosts", hosts)
            .field("namespace", namespace)
            .field("ttl", ttl)
            .field("timeout", timeout)
            .field("user", &user.as_ref().map(|(name, _)| name))
            .field("password_file", password_file)
            .field("tls", tls)
            .field("ca", ca)
            .field("cert", cert)
            .field("key", key)
            .field("client", &client.is_some())
            .finish()
    }
}
