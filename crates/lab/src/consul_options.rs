//! How a Consul agent is started.

use std::path::PathBuf;

/// Options of [`Consul::start_with`](crate::Consul::start_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsulOptions {
    /// Keep data in a folder, as a server does; else everything is in memory and a restart loses it.
    pub durable: bool,
    /// Turn access control on, deny by default; this token may do everything.
    pub token: Option<String>,
    /// Serve clients over TLS as well, on a port of its own.
    pub tls: Option<ConsulTls>,
    /// More of the configuration in its own language, given last.
    pub fragments: Vec<String>,
}

impl ConsulOptions {
    /// Keeps data in a folder.
    #[must_use]
    pub fn durable(mut self, wanted: bool) -> Self {
        self.durable = wanted;
        self
    }

    /// Turns access control on; a UUID that may do everything.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Serves clients over TLS as well.
    #[must_use]
    pub fn tls(mut self, tls: ConsulTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds to the configuration, such as `session_ttl_min = "1s"`.
    #[must_use]
    pub fn fragment(mut self, fragment: impl Into<String>) -> Self {
        self.fragments.push(fragment.into());
        self
    }
}

/// The PEM files of an agent that speaks TLS to its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsulTls {
    /// The authority that signed the certificates of agent and clients.
    pub ca: PathBuf,
    /// The agent's certificate.
    pub cert: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
    /// Clients must show a certificate that `ca` signed.
    pub client_auth: bool,
}

impl ConsulTls {
    /// Serves `cert` with `key`; clients need no certificate.
    #[must_use]
    pub fn new(ca: impl Into<PathBuf>, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { ca: ca.into(), cert: cert.into(), key: key.into(), client_auth: false }
    }

    /// Asks clients for a certificate that `ca` signed.
    #[must_use]
    pub fn client_auth(mut self, wanted: bool) -> Self {
        self.client_auth = wanted;
        self
    }
}
