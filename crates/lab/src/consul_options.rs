//! How a Consul agent is started.

use std::{net::SocketAddr, path::PathBuf};

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
    /// Its name in the catalogue; else `lab`.
    pub node: Option<String>,
    /// The name of its datacenter; else `dc1`.
    pub datacenter: Option<String>,
    /// Be no server, but an agent of the cluster of the one that gossips there.
    pub agent_of: Option<SocketAddr>,
    /// Know the servers of the datacenter of the one that gossips across datacenters there.
    pub beside: Option<SocketAddr>,
    /// Gossip across datacenters.
    pub wide: bool,
    /// Answer DNS.
    pub dns: bool,
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

    /// Names it.
    #[must_use]
    pub fn node(mut self, name: impl Into<String>) -> Self {
        self.node = Some(name.into());
        self
    }

    /// Names its datacenter, and gossips with others.
    #[must_use]
    pub fn datacenter(mut self, name: impl Into<String>) -> Self {
        self.datacenter = Some(name.into());
        self.wide = true;
        self
    }

    /// Makes it no server, but an agent of the cluster of the one that [gossips](crate::Consul::gossip) there.
    #[must_use]
    pub fn agent_of(mut self, gossip: SocketAddr) -> Self {
        self.agent_of = Some(gossip);
        self
    }

    /// Makes it know the servers of another datacenter, by where one of them [gossips](crate::Consul::wide_gossip).
    #[must_use]
    pub fn beside(mut self, gossip: SocketAddr) -> Self {
        self.beside = Some(gossip);
        self.wide = true;
        self
    }

    /// Answers DNS.
    #[must_use]
    pub fn dns(mut self, wanted: bool) -> Self {
        self.dns = wanted;
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
