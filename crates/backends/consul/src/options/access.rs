//! The setters, and what stands in files.

use std::{path::PathBuf, time::Duration};

#[cfg(feature = "tls")]
use reception_core::ErrorKind;
use reception_core::{Result, Secret};
#[cfg(feature = "tls")]
use reception_kit::options::Tls;

#[cfg(feature = "tls")]
use super::refuse;
use super::{Check, Options};
#[cfg(feature = "tls")]
use crate::error::error;
use crate::{error::NAME, layout::Layout};

impl Options {
    /// Sets the namespace: what service names and lock keys begin with.
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

    /// Sets how long a dead candidate may still lead.
    #[must_use]
    pub fn election_ttl(mut self, ttl: Duration) -> Self {
        self.election_ttl = ttl;
        self
    }

    /// Sets how long one call may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how the agent sees that an instance lives.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Sets how often the agent asks, and how long it waits for an answer, where it asks.
    #[must_use]
    pub fn interval(mut self, interval: Duration, timeout: Duration) -> Self {
        self.interval = interval;
        self.check_timeout = timeout;
        self
    }

    /// Sets the IP address and port where this process listens with [`Check::Http`] (port 0 is any), and the host at which the agent finds that, with
    /// a port if it is another one. Without a host it is the address that is listened on, and when that is all addresses the instance's.
    #[must_use]
    pub fn check_server(mut self, bind: impl Into<String>, host: Option<String>) -> Self {
        self.check_bind = bind.into();
        self.check_host = host;
        self
    }

    /// Sets when the agent forgets an instance whose check fails: one minute at least, since Consul does not do it sooner.
    #[must_use]
    pub fn deregister_after(mut self, span: Duration) -> Self {
        self.deregister_after = span;
        self
    }

    /// Sets what instances look like.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Sets the ACL token.
    #[must_use]
    pub fn token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// Sets a file with the ACL token; it is read again when it changes.
    #[must_use]
    pub fn token_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.token_file = Some(file.into());
        self
    }

    /// Takes the ACL token from the variable `CONSUL_HTTP_TOKEN`, if it is set.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the explicit call that reads the environment")]
    pub fn token_from_env(mut self) -> Self {
        let token = std::env::var("CONSUL_HTTP_TOKEN").ok().filter(|token| !token.is_empty());
        self.token = token.map(Secret::new).or(self.token);
        self
    }

    /// Sets the datacenter, else the agent's.
    #[must_use]
    pub fn datacenter(mut self, datacenter: impl Into<String>) -> Self {
        self.datacenter = Some(datacenter.into());
        self
    }

    /// Sets the namespace and the admin partition of Consul Enterprise.
    #[must_use]
    pub fn enterprise(mut self, namespace: Option<String>, partition: Option<String>) -> Self {
        self.enterprise_namespace = namespace;
        self.partition = partition;
        self
    }

    /// Speaks TLS; implied by the next three.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls.set(tls);
        self
    }

    /// Sets the PEM file of the authorities that sign the agents' certificates.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.set_ca(file);
        self
    }

    /// Sets the PEM file of our own certificate, for agents that ask for one.
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

    /// Speaks TLS as this says, instead of by files: with roots, certificates and a provider of one's own.
    ///
    /// The names of agents are checked as it says, too. Protocols that it would negotiate are left out: agents are asked by HTTP/1.1.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.tls_config = Some(TlsConfig(config));
        self.tls.set(true);
        self
    }

    /// Checks what does not need the files.
    pub(super) fn checked_tls(&self) -> Result<()> {
        #[cfg(feature = "tls")]
        if self.tls_config.is_some() {
            let mut bare = Tls::default();
            bare.set(true);
            if self.tls != bare {
                return Err(refuse("TLS is given twice, by options and by a configuration"));
            }
            return Ok(());
        }
        self.tls.check(NAME, cfg!(feature = "tls"))
    }
}

/// TLS that a program has set up itself.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(crate) struct TlsConfig(std::sync::Arc<rustls::ClientConfig>);

#[cfg(feature = "tls")]
impl std::fmt::Debug for TlsConfig {
    // It may hold a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConfig")
    }
}

/// The TLS of all connections, with a provider that is named: two of them in one program are no matter.
#[cfg(feature = "tls")]
pub(crate) fn tls(options: &Options) -> Result<rustls::ClientConfig> {
    use std::sync::Arc;

    use rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    };

    if let Some(TlsConfig(config)) = &options.tls_config {
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols.clear();
        return Ok(config);
    }
    // What a library says may repeat what it was given.
    let wrong = || error(ErrorKind::Config, "dial", "the TLS files cannot be used");
    let pems = options.tls.read(NAME)?;
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(pems.ca.as_deref().unwrap_or_default()) {
        roots.add(authority.map_err(|_| wrong())?).map_err(|_| wrong())?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| wrong())?
        .with_root_certificates(roots);
    let Some((cert, key)) = &pems.identity else { return Ok(builder.with_no_client_auth()) };
    let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| wrong())?;
    builder.with_client_auth_cert(chain.map_err(|_| wrong())?, key).map_err(|_| wrong())
}
