//! How a ZooKeeper server is started.

use std::path::PathBuf;

/// Options of [`ZooKeeper::start_with`](crate::ZooKeeper::start_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZooKeeperOptions {
    /// More lines of the configuration, given last, so that they win over ours.
    pub lines: Vec<String>,
    /// More properties of the virtual machine, such as `zookeeper.extendedTypesEnabled=true`.
    pub properties: Vec<String>,
    /// Serve clients over TLS as well, on a port of its own.
    pub tls: Option<ZooKeeperTls>,
    /// The users that may log in by SASL, each `name` with a password.
    pub sasl: Vec<(String, String)>,
}

impl ZooKeeperOptions {
    /// Adds a line of the configuration, such as `maxSessionTimeout=20000`.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a property of the virtual machine.
    #[must_use]
    pub fn property(mut self, property: impl Into<String>) -> Self {
        self.properties.push(property.into());
        self
    }

    /// Serves clients over TLS as well.
    #[must_use]
    pub fn tls(mut self, tls: ZooKeeperTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets this user log in by SASL with DIGEST-MD5.
    #[must_use]
    pub fn sasl(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.sasl.push((name.into(), password.into()));
        self
    }
}

/// The PEM files of a server that speaks TLS to its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZooKeeperTls {
    /// The authority that signed the certificates of clients.
    pub ca: PathBuf,
    /// One file with the server's key (PKCS #8) and its certificate.
    pub identity: PathBuf,
    /// Clients must show a certificate that `ca` signed.
    pub client_auth: bool,
}

impl ZooKeeperTls {
    /// Serves the certificate in `identity`; clients need none.
    #[must_use]
    pub fn new(ca: impl Into<PathBuf>, identity: impl Into<PathBuf>) -> Self {
        Self { ca: ca.into(), identity: identity.into(), client_auth: false }
    }

    /// Asks clients for a certificate that `ca` signed.
    #[must_use]
    pub fn client_auth(mut self, wanted: bool) -> Self {
        self.client_auth = wanted;
        self
    }
}
