//! How an etcd server is started.

use std::{path::PathBuf, time::Duration};

/// Options of [`Etcd::start_with`](crate::Etcd::start_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdOptions {
    /// More flags, given last, so that they win over ours.
    pub flags: Vec<String>,
    /// Serve clients over TLS.
    pub tls: Option<EtcdTls>,
    /// How long a simple auth token lives without use (etcd's own default is 5 minutes).
    pub auth_token_ttl: Option<Duration>,
    /// The client's and the peers' port; free ones when absent.
    pub ports: Option<(u16, u16)>,
}

impl EtcdOptions {
    /// Adds a flag, such as `--max-request-bytes=4096`.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Serves clients over TLS.
    #[must_use]
    pub fn tls(mut self, tls: EtcdTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets how long a simple auth token lives without use; whole seconds, at least one.
    #[must_use]
    pub fn auth_token_ttl(mut self, ttl: Duration) -> Self {
        self.auth_token_ttl = Some(ttl);
        self
    }

    /// Uses these ports for clients and peers.
    #[must_use]
    pub fn ports(mut self, client: u16, peer: u16) -> Self {
        self.ports = Some((client, peer));
        self
    }
}

/// The PEM files of a server that speaks TLS to its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EtcdTls {
    /// The authority that signed the server's certificate.
    pub ca: PathBuf,
    /// The server's certificate.
    pub cert: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
    /// Clients must show a certificate that `ca` signed.
    pub client_auth: bool,
}

impl EtcdTls {
    /// Serves `cert` with `key`, both signed for by `ca`; clients need no certificate.
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
