//! What can be set, by URL or by builder.

mod access;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use reception_core::{DialUrl, ErrorKind, Opt, OptionSpec, Result, Secret};
use reception_kit::options::{
    CA, CERT, KEY, Login, PASSWORD_FILE, Tls, USER, check_hosts, check_span, with_port,
};

use crate::{
    error::{NAME, error},
    layout::{Curator, Layout, Party, Paths, Payload, Reception, Serverset, Slacker},
};

const TTL: Opt<Duration> =
    Opt::new("ttl", "how long a dead process may still be seen: the session").default("10s");
const TIMEOUT: Opt<Duration> = Opt::new("timeout", "how long one call may take").default("5s");
const LAYOUT: Opt<String> = Opt::new(
    "layout",
    "what instances look like: curator, party, serverset, discovery, reception or slacker",
)
.default("curator");
const PAYLOAD: Opt<String> =
    Opt::new("payload", "what readers expect as the payload: map, string or none").default("map");
const CLASS: Opt<String> = Opt::new("class", "the Java class that attributes are written as").default(MAP);
const ELECTIONS: Opt<String> =
    Opt::new("elections", "the path of the elections, else the URL's with -elections behind it");
const CHROOT: Opt<String> = Opt::new("chroot", "a path before all others");
const SASL: Opt<bool> = Opt::new("sasl", "log the user in by SASL with DIGEST-MD5, not by the digest scheme");
const TLS: Opt<bool> = Opt::new("tls", "speak TLS; implied by the next three and by zk+tls");

pub(crate) const OPTIONS: &[OptionSpec] = &[
    TTL.spec(),
    TIMEOUT.spec(),
    LAYOUT.spec(),
    PAYLOAD.spec(),
    CLASS.spec(),
    ELECTIONS.spec(),
    CHROOT.spec(),
    USER.spec(),
    PASSWORD_FILE.spec(),
    SASL.spec(),
    TLS.spec(),
    CA.spec(),
    CERT.spec(),
    KEY.spec(),
];

pub(crate) const SECURE: &str = "zk+tls";
const MAP: &str = "java.util.LinkedHashMap";
const OPERATION: &str = "dial";
const PORT: u16 = 2181;
const LEAST_TTL: Duration = Duration::from_secs(1);
const MOST_TTL: Duration = Duration::from_secs(24 * 3600);
const LEAST_TIMEOUT: Duration = Duration::from_millis(50);
const MOST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// How to dial ZooKeeper: the same as the options of a URL, and an existing client.
///
/// ```
/// use reception_core::Secret;
/// use std::time::Duration;
///
/// let options = reception_zookeeper::Options::new(["h1:2181", "h2:2181"])
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
    pub(crate) layout: Arc<dyn Layout>,
    pub(crate) elections: Option<String>,
    pub(crate) chroot: String,
    pub(crate) sasl: bool,
    pub(crate) ttl: Duration,
    pub(crate) timeout: Duration,
    pub(crate) login: Login,
    pub(crate) tls: Tls,
    pub(crate) client: Option<zookeeper_client::Client>,
}

impl Options {
    /// Dials these hosts, each `host[:port]` with IPv6 in brackets; the port is 2181 when left out.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            hosts: hosts.into_iter().map(Into::into).collect(),
            namespace: String::new(),
            layout: Arc::new(Curator::default()),
            elections: None,
            chroot: String::new(),
            sasl: false,
            ttl: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            login: Login::default(),
            tls: Tls::default(),
            client: None,
        }
    }

    /// Takes from a URL what is the same whoever tells where the servers are: the namespace, and all options but those of hosts, users and TLS.
    ///
    /// # Errors
    ///
    /// Config for an unreadable option and a namespace that breaks the limits (law L15).
    pub fn shared(url: &DialUrl) -> Result<Self> {
        let mut options = Self::new(Vec::<String>::new());
        options.namespace = url.namespace()?;
        if let Some(ttl) = url.get(&TTL)? {
            options.ttl = ttl;
        }
        if let Some(timeout) = url.get(&TIMEOUT)? {
            options.timeout = timeout;
        }
        options.layout = layout(url)?;
        options.elections = url.get(&ELECTIONS)?;
        options.chroot = url.get(&CHROOT)?.unwrap_or_default();
        Ok(options)
    }

    /// Takes everything from a URL.
    ///
    /// # Errors
    ///
    /// Config for an unknown, half-given or unreadable option, a user given twice, and a namespace that breaks the limits (law L15).
    pub fn from_url(url: &DialUrl) -> Result<Self> {
        url.check(OPTIONS)?;
        let mut options = Self::shared(url)?;
        options.hosts = url.hosts().to_vec();
        options.sasl = url.get(&SASL)?.unwrap_or_default();
        options.tls = Tls::from_url(NAME, url, SECURE)?;
        options.login = Login::from_url(NAME, url)?;
        Ok(options)
    }

    /// Sets the namespace, names joined by slashes: the path of the services; the default is `reception`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets what instances look like; the default is [`Curator`].
    #[must_use]
    pub fn layout(mut self, layout: impl Layout) -> Self {
        self.layout = Arc::new(layout);
        self
    }

    /// Sets the absolute path of the elections; the default is that of the namespace with `-elections` behind it.
    #[must_use]
    pub fn elections(mut self, path: impl Into<String>) -> Self {
        self.elections = Some(path.into());
        self
    }

    /// Sets a path before all others.
    #[must_use]
    pub fn chroot(mut self, path: impl Into<String>) -> Self {
        self.chroot = path.into();
        self
    }

    /// Logs the user in by SASL with DIGEST-MD5 instead of by the digest scheme.
    #[must_use]
    pub fn sasl(mut self, sasl: bool) -> Self {
        self.sasl = sasl;
        self
    }

    /// Sets how long a dead process may still be seen; the default is 10 s. The server grants 2 to 20 of its ticks.
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

    /// Sets the user, whose password is in a file: [`user`](Self::user) and [`password_file`](Self::password_file) in one.
    #[must_use]
    pub fn user_of_file(mut self, user: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.login.set_user(user, None);
        self.password_file(file)
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
    /// Its session is used, not closed, and not made anew when it is lost: every call fails then. Everything is made with all rights for
    /// everybody, since whom the session is logged in as is not known here. Two clients on one session own what either of them registers.
    #[must_use]
    pub fn client(mut self, client: zookeeper_client::Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Checks everything that does not need a file.
    pub(crate) fn checked(&self) -> Result<Paths> {
        let refuse = |why: &str| Err(error(ErrorKind::Config, OPERATION, why));
        check_span(NAME, "ttl", self.ttl, LEAST_TTL..=MOST_TTL)?;
        check_span(NAME, "timeout", self.timeout, LEAST_TIMEOUT..=MOST_TIMEOUT)?;
        if self.client.is_some() && (self.login.has_user() || self.tls.is_on()) {
            return refuse("an existing client brings its own user and TLS");
        }
        check_hosts(NAME, &self.hosts)?;
        self.tls.check(NAME, cfg!(feature = "tls"))?;
        if self.sasl && !self.login.has_user() {
            return refuse("option \"sasl\" needs a user");
        }
        if self.sasl && !cfg!(feature = "sasl") {
            return refuse("SASL is compiled out: turn the feature \"sasl\" on");
        }
        Paths::new(&self.chroot, &self.namespace, self.elections.as_deref(), Arc::clone(&self.layout))
    }

    /// The hosts with their ports.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.hosts.iter().map(|host| with_port(host, PORT)).collect()
    }
}

/// The layout that the URL names.
fn layout(url: &DialUrl) -> Result<Arc<dyn Layout>> {
    let refuse = |key: &str, of: &str| {
        Err(error(ErrorKind::Config, OPERATION, format!("option {key:?} is none of {of}")))
    };
    let payload = match url.get(&PAYLOAD)?.as_deref() {
        None | Some("map") => Payload::Map,
        Some("string") => Payload::String,
        Some("none") => Payload::None,
        Some(_) => return refuse("payload", "map, string and none"),
    };
    let class: String = url.get(&CLASS)?.unwrap_or_else(|| MAP.to_owned());
    let curator = Curator::default().payload(payload).class(class);
    match url.get(&LAYOUT)?.as_deref() {
        None | Some("curator") => Ok(Arc::new(curator)),
        Some("party") => Ok(Arc::new(Party::new(curator))),
        Some("serverset") => Ok(Arc::new(Serverset::default())),
        Some("discovery") => Ok(Arc::new(Serverset::default().discovery(true))),
        Some("reception") => Ok(Arc::new(Reception)),
        Some("slacker") => Ok(Arc::new(Slacker)),
        Some(_) => refuse("layout", "curator, party, serverset, discovery, reception and slacker"),
    }
}

impl fmt::Debug for Options {
    // The existing client is left out: it may print its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, namespace, layout, elections, chroot, sasl, ttl, timeout, login, tls, client } =
            self;
        f.debug_struct("Options")
            .field("hosts", hosts)
            .field("namespace", namespace)
            .field("layout", layout)
            .field("elections", elections)
            .field("chroot", chroot)
            .field("sasl", sasl)
            .field("ttl", ttl)
            .field("timeout", timeout)
            .field("login", login)
            .field("tls", tls)
            .field("client", &client.is_some())
            .finish()
    }
}
