//! What can be set, by URL or by builder.

mod access;
mod check;

use std::{fmt, path::PathBuf, time::Duration};

use reception_core::{DialUrl, ErrorKind, Opt, OptionSpec, Result, Secret, ServiceName};
use reception_kit::options::{CA, CERT, KEY, Tls, check_hosts, check_span, with_port};

#[cfg(feature = "tls")]
pub(crate) use access::tls;
pub(crate) use check::{Announced, bracketed};

use crate::{
    error::{NAME, error},
    layout::Layout,
};

const TTL: Opt<Duration> =
    Opt::new("ttl", "how long a dead process may still be seen: the check of its registrations")
        .default("10s");
const ELECTION_TTL: Opt<Duration> =
    Opt::new("election_ttl", "how long a dead candidate may still lead: the check of its elections")
        .default("5s");
const TIMEOUT: Opt<Duration> = Opt::new("timeout", "how long one call may take").default("5s");
const CHECK: Opt<String> = Opt::new(
    "check",
    "how the agent sees that an instance lives: ttl (it is told), http (it asks this process), tcp (it connects to the instance) or none",
)
.default("ttl");
const INTERVAL: Opt<Duration> =
    Opt::new("interval", "how often the agent asks, with check=http and tcp").default("5s");
const CHECK_TIMEOUT: Opt<Duration> =
    Opt::new("check_timeout", "how long the agent waits for an answer to that").default("2s");
const CHECK_BIND: Opt<String> =
    Opt::new("check_bind", "IP address and port where this process listens with check=http; port 0 is any")
        .default("127.0.0.1:0");
const CHECK_HOST: Opt<String> = Opt::new(
    "check_host",
    "the host at which the agent finds that, with a port if it is another; else the address of check_bind, or the instance's when that is all addresses (0.0.0.0)",
);
const DEREGISTER_AFTER: Opt<Duration> =
    Opt::new("deregister_after", "when the agent forgets an instance whose check fails: one minute at least")
        .default("1m");
const LAYOUT: Opt<String> =
    Opt::new("layout", "what instances look like: native, or reception as the Go library wrote them")
        .default("native");
const TOKEN: Opt<Secret> = Opt::new("token", "the ACL token");
pub(crate) const TOKEN_FILE: Opt<PathBuf> =
    Opt::new("token_file", "a file with the ACL token, read again when it changes");
const DATACENTER: Opt<String> = Opt::new(
    "datacenter",
    "the datacenter that is asked, else the agent's; registering and standing work in the agent's own alone",
);
const NAMESPACE: Opt<String> = Opt::new("namespace", "the namespace of Consul Enterprise");
const PARTITION: Opt<String> = Opt::new("partition", "the admin partition of Consul Enterprise");
const TLS: Opt<bool> = Opt::new("tls", "speak TLS; implied by the next three and by consul+tls");

pub(crate) const OPTIONS: &[OptionSpec] = &[
    TTL.spec(),
    ELECTION_TTL.spec(),
    TIMEOUT.spec(),
    CHECK.spec(),
    INTERVAL.spec(),
    CHECK_TIMEOUT.spec(),
    CHECK_BIND.spec(),
    CHECK_HOST.spec(),
    DEREGISTER_AFTER.spec(),
    LAYOUT.spec(),
    TOKEN.spec(),
    TOKEN_FILE.spec(),
    DATACENTER.spec(),
    NAMESPACE.spec(),
    PARTITION.spec(),
    TLS.spec(),
    CA.spec(),
    CERT.spec(),
    KEY.spec(),
];

pub(crate) const SECURE: &str = "consul+tls";
const OPERATION: &str = "dial";
const PORT: u16 = 8500;
const SECURE_PORT: u16 = 8501;
const LEAST_TTL: Duration = Duration::from_secs(1);
const MOST_TTL: Duration = Duration::from_secs(24 * 3600);
const LEAST_TIMEOUT: Duration = Duration::from_millis(50);

/// How the agent sees that an instance lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// This process tells the agent, once every half `ttl` for all its registrations.
    #[default]
    Ttl,
    /// The agent asks a small server in this process. One miss is forgiven.
    Http,
    /// The agent connects to the instance's own address and port. One miss is forgiven.
    Tcp,
    /// It does not: the instance stays until it is withdrawn.
    None,
}

/// How to dial Consul: the same as the options of a URL.
///
/// ```
/// use reception_core::Secret;
/// use std::time::Duration;
///
/// let options = reception_consul::Options::new(["127.0.0.1:8500"])
///     .namespace("prod")
///     .token(Secret::new("sesame"))
///     .ttl(Duration::from_secs(5));
/// assert!(!format!("{options:?}").contains("sesame"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    pub(crate) hosts: Vec<String>,
    pub(crate) namespace: String,
    pub(crate) ttl: Duration,
    pub(crate) election_ttl: Duration,
    pub(crate) timeout: Duration,
    pub(crate) check: Check,
    pub(crate) interval: Duration,
    pub(crate) check_timeout: Duration,
    pub(crate) check_bind: String,
    pub(crate) check_host: Option<String>,
    pub(crate) deregister_after: Duration,
    pub(crate) layout: Layout,
    pub(crate) token: Option<Secret>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) datacenter: Option<String>,
    pub(crate) enterprise_namespace: Option<String>,
    pub(crate) partition: Option<String>,
    pub(crate) tls: Tls,
    #[cfg(feature = "tls")]
    pub(crate) tls_config: Option<access::TlsConfig>,
}

impl Options {
    /// Dials these agents, each `host[:port]` with IPv6 in brackets; the port is 8500 when left out, 8501 with TLS.
    ///
    /// Registrations stand at the first that answers; the others are asked when it does not any more, and take them over when it is gone.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            hosts: hosts.into_iter().map(Into::into).collect(),
            namespace: String::new(),
            ttl: Duration::from_secs(10),
            election_ttl: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            check: Check::Ttl,
            interval: Duration::from_secs(5),
            check_timeout: Duration::from_secs(2),
            check_bind: "127.0.0.1:0".to_owned(),
            check_host: None,
            deregister_after: Duration::from_secs(60),
            layout: Layout::Native,
            token: None,
            token_file: None,
            datacenter: None,
            enterprise_namespace: None,
            partition: None,
            tls: Tls::default(),
            #[cfg(feature = "tls")]
            tls_config: None,
        }
    }

    /// Takes everything from a URL.
    ///
    /// # Errors
    ///
    /// Config for an unknown, half-given or unreadable option, and a namespace that breaks the limits (law L15).
    pub fn from_url(url: &DialUrl) -> Result<Self> {
        url.check(OPTIONS)?;
        let mut options = Self::new(url.hosts().iter().cloned());
        options.namespace = url.namespace()?;
        set(&mut options.ttl, url.get(&TTL)?);
        set(&mut options.election_ttl, url.get(&ELECTION_TTL)?);
        set(&mut options.timeout, url.get(&TIMEOUT)?);
        options.check = match url.get(&CHECK)?.as_deref() {
            None | Some("ttl") => Check::Ttl,
            Some("http") => Check::Http,
            Some("tcp") => Check::Tcp,
            Some("none") => Check::None,
            Some(_) => return Err(refuse("option \"check\" is none of ttl, http, tcp and none")),
        };
        check::needless(url, options.check)?;
        set(&mut options.interval, url.get(&INTERVAL)?);
        set(&mut options.check_timeout, url.get(&CHECK_TIMEOUT)?);
        set(&mut options.check_bind, url.get(&CHECK_BIND)?);
        options.check_host = url.get(&CHECK_HOST)?;
        set(&mut options.deregister_after, url.get(&DEREGISTER_AFTER)?);
        options.layout = match url.get(&LAYOUT)?.as_deref() {
            None | Some("native") => Layout::Native,
            Some("reception") => Layout::Reception,
            Some(_) => return Err(refuse("option \"layout\" is none of native and reception")),
        };
        options.token = url.get(&TOKEN)?;
        options.token_file = url.get(&TOKEN_FILE)?;
        options.datacenter = url.get(&DATACENTER)?;
        options.enterprise_namespace = url.get(&NAMESPACE)?;
        options.partition = url.get(&PARTITION)?;
        options.tls = Tls::from_url(NAME, url, SECURE)?;
        if url.user().is_some() {
            return Err(refuse("Consul has no users: give the token by option \"token\" or \"token_file\""));
        }
        Ok(options)
    }

    /// Checks everything that does not need a file.
    pub(crate) fn checked(&self) -> Result<()> {
        for (key, span) in
            [("ttl", self.ttl), ("election_ttl", self.election_ttl), ("interval", self.interval)]
        {
            check_span(NAME, key, span, LEAST_TTL..=MOST_TTL)?;
        }
        for (key, span) in [("timeout", self.timeout), ("check_timeout", self.check_timeout)] {
            check_span(NAME, key, span, LEAST_TIMEOUT..=MOST_TTL)?;
        }
        self.checked_liveness()?;
        for part in self.namespace.split('/').filter(|part| !part.is_empty()) {
            ServiceName::new(part).map_err(|wrong| refuse(format!("namespace: {}", wrong.context())))?;
        }
        if self.hosts.is_empty() {
            return Err(refuse("no host is given: consul://HOST:8500"));
        }
        check_hosts(NAME, &self.hosts)?;
        self.checked_tls()
    }

    /// The agents with their ports.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let port = if self.tls.is_on() { SECURE_PORT } else { PORT };
        self.hosts.iter().map(|host| with_port(host, port)).collect()
    }
}

fn set<T>(to: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *to = given;
    }
}

fn refuse(why: impl Into<String>) -> reception_core::Error {
    error(ErrorKind::Config, OPERATION, why)
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ttl => "ttl",
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Options> {
        let options = Options::from_url(&url.parse()?)?;
        options.checked()?;
        Ok(options)
    }

    #[test]
    fn a_url_gives_agents_namespace_and_options() {
        let options = read(
            "consul://a,b:1,[::1]/eu/prod?ttl=4s&election_ttl=2s&check=tcp&layout=reception&token=sesame",
        )
        .unwrap();
        assert_eq!(options.addresses(), ["a:8500", "b:1", "[::1]:8500"]);
        assert_eq!((options.namespace.as_str(), options.check), ("eu/prod", Check::Tcp));
        assert_eq!((options.ttl, options.election_ttl), (Duration::from_secs(4), Duration::from_secs(2)));
        assert!(!format!("{options:?}").contains("sesame"));
    }

    #[test]
    fn a_namespace_and_hosts_are_checked_however_they_are_given() {
        for namespace in ["a b", "../x", "eu/..", "eu/pr?od", ".hidden", "é"] {
            let refused = Options::new(["a"]).namespace(namespace).checked().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Config, "{namespace}: {refused}");
            assert!(refused.context().starts_with("namespace: "), "{refused}");
        }
        for namespace in ["", "eu", "/eu//prod/"] {
            Options::new(["a"]).namespace(namespace).checked().unwrap();
        }
        for host in ["", "a b", "a/b", "me@a", "a\nb", "a\"b"] {
            let refused = Options::new(["a", host]).checked().unwrap_err();
            assert_eq!(refused.context(), "host 2 is not of the form host[:port]", "{host:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for url in [
            "consul://a?ttl=500ms",
            "consul://a?election_ttl=25h",
            "consul://a?check=udp",
            "consul://a?layout=curator",
            "consul://a?tls=true",
            "consul://a?cert=/x",
            "consul+tls://a?tls=false",
            "consul://me:secret@a",
            "consul://a?nonsense=1",
            "consul://a?deregister_after=59s",
            "consul://a?deregister_after=9000h",
            "consul://a?check=tcp&check_timeout=1ms",
            "consul://a?check=http&check_bind=8600",
            "consul://a?check=http&check_bind=localhost:0",
            "consul://a?check=http&check_bind=127.0.0.1",
            "consul://a?check=http&check_host=http://a",
            "consul://a?check=http&interval=500ms",
            "consul://a?interval=2s",
            "consul://a?check=none&check_timeout=2s",
            "consul://a?check_host=a",
            "consul://a?check=tcp&check_bind=127.0.0.1:0",
        ] {
            let refused = read(url).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Config, "{url}: {refused}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
            let option = url.rsplit_once(['?', '&']).and_then(|(_, option)| option.split_once('='));
            let told = option.is_none_or(|(key, _)| refused.to_string().to_lowercase().contains(key));
            assert!(told, "{url}: {refused}");
        }
    }
}
