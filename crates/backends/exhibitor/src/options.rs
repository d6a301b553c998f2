//! What can be set, by URL or by builder.

mod access;
mod table;

use std::{collections::BTreeSet, fmt, path::PathBuf, sync::Arc, time::Duration};

use reception_core::{DialUrl, Opt, OptionSpec, Result, Secret};
use reception_kit::options::{Login, Tls, check_span};

use crate::{
    ask::Asker,
    error::{NAME, config},
    finder::Finder,
    state::State,
};

const POLL: Opt<Duration> =
    Opt::new("poll", "how often an Exhibitor is asked for the servers").default("10s");
const FALLBACK: Opt<String> =
    Opt::new("fallback", "ZooKeeper servers, with commas between, until an Exhibitor has answered");
const PREFIX: Opt<String> = Opt::new("prefix", "a path before /exhibitor/v1, where it runs in a container");
const USER: Opt<String> =
    Opt::new("user", "Exhibitor's user, if not before the hosts").requires(&["password_file"]);
const PASSWORD_FILE: Opt<PathBuf> = Opt::new("password_file", "a file with the password of Exhibitor's user");
const TLS: Opt<bool> =
    Opt::new("tls", "speak TLS to Exhibitor; implied by the next three and by exhibitor+tls");
const CA: Opt<PathBuf> = Opt::new("ca", "PEM file of the authorities that sign Exhibitor's certificates");
const CERT: Opt<PathBuf> =
    Opt::new("cert", "PEM file of our certificate for Exhibitor").requires(&["key", "ca"]);
const KEY: Opt<PathBuf> = Opt::new("key", "PEM file of that certificate's key").requires(&["cert"]);
const ZK_USER: Opt<String> = Opt::new("zk_user", "ZooKeeper's user").requires(&["zk_password_file"]);
const ZK_PASSWORD_FILE: Opt<PathBuf> =
    Opt::new("zk_password_file", "a file with the password of ZooKeeper's user").requires(&["zk_user"]);
const ZK_SASL: Opt<bool> =
    Opt::new("zk_sasl", "log ZooKeeper's user in by SASL with DIGEST-MD5, not by the digest scheme");
const ZK_TLS: Opt<bool> = Opt::new("zk_tls", "speak TLS to ZooKeeper; implied by the next three");
const ZK_CA: Opt<PathBuf> =
    Opt::new("zk_ca", "PEM file of the authorities that sign ZooKeeper's certificates");
const ZK_CERT: Opt<PathBuf> =
    Opt::new("zk_cert", "PEM file of our certificate for ZooKeeper").requires(&["zk_key", "zk_ca"]);
const ZK_KEY: Opt<PathBuf> = Opt::new("zk_key", "PEM file of that certificate's key").requires(&["zk_cert"]);

/// What is Exhibitor's, and what ZooKeeper has under another name here.
const OWN: &[OptionSpec] = &[
    POLL.spec(),
    FALLBACK.spec(),
    PREFIX.spec(),
    USER.spec(),
    PASSWORD_FILE.spec(),
    TLS.spec(),
    CA.spec(),
    CERT.spec(),
    KEY.spec(),
    ZK_USER.spec(),
    ZK_PASSWORD_FILE.spec(),
    ZK_SASL.spec(),
    ZK_TLS.spec(),
    ZK_CA.spec(),
    ZK_CERT.spec(),
    ZK_KEY.spec(),
];
/// The options of ZooKeeper that say who asks and how it speaks: here they have `zk_` before them.
const RENAMED: &[&str] = &["user", "password_file", "sasl", "tls", "ca", "cert", "key"];

pub(crate) const OPTIONS: &[OptionSpec] =
    &table::joined::<{ table::count(RENAMED) + OWN.len() }>(OWN, RENAMED);

pub(crate) const SECURE: &str = "exhibitor+tls";
const PORT: u16 = 8080;
const LEAST_POLL: Duration = Duration::from_millis(100);
const MOST_POLL: Duration = Duration::from_secs(24 * 3600);
/// What one Exhibitor may take to answer: a whole round of several shall fit into one call.
const LEAST_ASK: Duration = Duration::from_millis(300);
const MOST_ASK: Duration = Duration::from_secs(3);
const MOST_EXHIBITORS: usize = 64;

/// How to dial: the same as the options of a URL.
///
/// ```
/// use reception_core::Secret;
/// use std::time::Duration;
///
/// let zookeeper = reception_exhibitor::zookeeper::Options::new(Vec::<String>::new()).namespace("prod");
/// let options = reception_exhibitor::Options::new(["e1:8080", "e2:8080"], zookeeper)
///     .user("app", Secret::new("sesame"))
///     .poll(Duration::from_secs(30));
/// assert!(!format!("{options:?}").contains("sesame"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    pub(crate) exhibitors: Vec<String>,
    pub(crate) zookeeper: reception_zookeeper::Options,
    poll: Duration,
    timeout: Duration,
    fallback: Vec<String>,
    prefix: String,
    login: Login,
    tls: Tls,
}

/// Where an Exhibitor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl Place {
    /// The name that its certificate has to speak for.
    #[cfg(feature = "tls")]
    pub(crate) fn name(&self) -> Result<rustls::pki_types::ServerName<'static>> {
        let name = rustls::pki_types::ServerName::try_from(self.host.clone());
        name.map_err(|cause| config(format!("{self} is no name for TLS")).with_source(cause))
    }
}

impl Options {
    /// Asks these Exhibitors, each `host[:port]` with IPv6 in brackets; the port is 8080 when left out.
    ///
    /// Everything about the store itself is said by the options of ZooKeeper, whose hosts are not used.
    pub fn new(
        exhibitors: impl IntoIterator<Item = impl Into<String>>,
        zookeeper: reception_zookeeper::Options,
    ) -> Self {
        Self {
            exhibitors: exhibitors.into_iter().map(Into::into).collect(),
            zookeeper,
            poll: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            fallback: Vec::new(),
            prefix: String::new(),
            login: Login::default(),
            tls: Tls::default(),
        }
    }

    /// Takes everything from a URL.
    ///
    /// # Errors
    ///
    /// Config for an unknown, half-given or unreadable option, a user given twice, and a namespace that breaks the limits (law L15).
    pub fn from_url(url: &DialUrl) -> Result<Self> {
        url.check(OPTIONS)?;
        let mut options = Self::new(url.hosts().iter().cloned(), zookeeper(url)?);
        if let Some(poll) = url.get(&POLL)? {
            options.poll = poll;
        }
        if let Some(timeout) = url.get(&TIMEOUT)? {
            options.timeout = timeout;
        }
        let fallback: Option<String> = url.get(&FALLBACK)?;
        options.fallback = fallback.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
        options.prefix = url.get(&PREFIX)?.unwrap_or_default();
        options.tls = Tls::from_url(NAME, url, SECURE)?;
        options.login = Login::from_url(NAME, url)?;
        Ok(options)
    }

    /// Sets how often an Exhibitor is asked; the default is 10 s.
    #[must_use]
    pub fn poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Sets how long a round over all Exhibitors should take; the default is 3 s. One gets its share, between 0.3 and 3 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the ZooKeeper servers to use until an Exhibitor has answered, each `host[:port]`.
    #[must_use]
    pub fn fallback(mut self, servers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fallback = servers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a path before `/exhibitor/v1`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the user and the password for Exhibitor, by basic authentication.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>, password: Secret) -> Self {
        self.login.set_user(user, Some(password));
        self
    }

    /// Sets a file that holds the password of Exhibitor's user; a line end at its end does not count.
    #[must_use]
    pub fn password_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.login.set_file(file);
        self
    }

    /// Speaks TLS to Exhibitor and trusts these authorities, a PEM file.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.set_ca(file);
        self
    }

    /// Shows Exhibitor a certificate: two PEM files.
    #[must_use]
    pub fn identity(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls.set_cert(cert);
        self.tls.set_key(key);
        self
    }

    /// Checks everything and makes what asks the Exhibitors.
    pub(crate) fn finder(&self, state: &Arc<State>) -> Result<Finder> {
        check_span(NAME, "poll", self.poll, LEAST_POLL..=MOST_POLL)?;
        if self.exhibitors.is_empty() || self.exhibitors.len() > MOST_EXHIBITORS {
            return Err(config(format!("between 1 and {MOST_EXHIBITORS} Exhibitors are named as hosts")));
        }
        let places = self.exhibitors.iter().enumerate();
        let places = places.map(|(at, host)| place(host, PORT, &format!("host {}", at + 1)));
        let places = places.collect::<Result<Vec<_>>>()?;
        let fallback = self.fallback.iter().map(|host| place(host, 2181, "a server of \"fallback\""));
        let fallback = fallback.map(|place| Ok(place?.to_string())).collect::<Result<BTreeSet<_>>>()?;
        let share = self.timeout * 4 / 5 / u32::try_from(places.len()).unwrap_or(1);
        let limit = share.clamp(LEAST_ASK, MOST_ASK);
        let asker = Asker::new(self.checked_prefix()?, self.login.read(NAME)?.as_ref(), limit)?;
        let asker = self.secured(asker, &places)?;
        Ok(Finder { places, asker, poll: self.poll, fallback, state: Arc::clone(state) })
    }

    /// The prefix without a slash at its end.
    fn checked_prefix(&self) -> Result<&str> {
        let prefix = self.prefix.trim_end_matches('/');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-%".contains(&byte);
        let is_path = prefix.starts_with('/') && prefix.bytes().all(plain);
        if !is_path && !prefix.is_empty() {
            return Err(config("option \"prefix\" is no path that begins with a slash"));
        }
        Ok(prefix)
    }
}

/// A host with its port, by the rules of dial URLs.
fn place(host: &str, port: u16, what: &str) -> Result<Place> {
    let url: Option<DialUrl> = format!("x://{host}").parse().ok();
    let good = url.is_some_and(|url| url.hosts() == [host] && url.path().is_empty());
    if !good {
        return Err(config(format!("{what} is not of the form host[:port]")));
    }
    let (name, after) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, after)) => (name, after),
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let port = after.strip_prefix(':').and_then(|text| text.parse().ok()).unwrap_or(port);
    Ok(Place { host: name.to_owned(), port })
}

const TIMEOUT: Opt<Duration> = Opt::new("timeout", "the one of ZooKeeper").default("5s");

/// The options of ZooKeeper in a URL of ours.
fn zookeeper(url: &DialUrl) -> Result<reception_zookeeper::Options> {
    let mut options = reception_zookeeper::Options::shared(url)?;
    options = options.sasl(url.get(&ZK_SASL)?.unwrap_or_default());
    if let (Some(user), Some(file)) = (url.get(&ZK_USER)?, url.get(&ZK_PASSWORD_FILE)?) {
        options = options.user_of_file(user, file);
    }
    let (ca, cert, key) = (url.get(&ZK_CA)?, url.get(&ZK_CERT)?, url.get(&ZK_KEY)?);
    let flag = url.get(&ZK_TLS)?;
    if flag == Some(false) && (ca.is_some() || cert.is_some()) {
        return Err(config("option \"zk_tls\" is false beside what implies it"));
    }
    options = options.tls(flag == Some(true));
    if let Some(ca) = ca {
        options = options.ca(ca);
    }
    if let Some(cert) = cert {
        options = options.cert(cert);
    }
    if let Some(key) = key {
        options = options.key(key);
    }
    Ok(options)
}
