//! Who we are and how we speak: the user, SASL and TLS.

#[cfg(feature = "tls")]
use reception_core::ErrorKind;
use reception_core::{Result, Secret};
use zookeeper_client as zk;

use super::Options;
#[cfg(feature = "tls")]
use crate::error::error;
use crate::{
    error::NAME,
    session::{Hosts, Recipe},
};

impl Options {
    /// How a session is come by, and as whom.
    pub(crate) fn recipe(&self, hosts: Hosts) -> Result<(Recipe, Option<String>)> {
        if let Some(client) = &self.client {
            return Ok((Recipe::Given(client.clone()), None));
        }
        let user = self.login.read(NAME)?;
        if user.is_some() && !self.tls.is_on() {
            // Both schemes show a reader on the way what is enough to log in.
            tracing::warn!(backend = NAME, "the user logs in without TLS: who reads along can do so, too");
        }
        let connector = zk::Client::connector().with_session_timeout(self.ttl);
        let connector = secure(self, connector)?;
        let connector = match &user {
            Some((name, password)) if self.sasl => login(connector, name, password),
            Some((name, password)) => {
                connector.with_auth("digest", format!("{name}:{}", password.expose()).as_bytes())
            }
            None => connector,
        };
        let recipe = Recipe::Dial {
            connector: Box::new(connector),
            hosts,
            tls: self.tls.is_on(),
            owned: user.is_some(),
        };
        Ok((recipe, user.map(|(name, _)| name)))
    }
}

#[cfg(feature = "tls")]
fn secure(options: &Options, connector: zk::Connector) -> Result<zk::Connector> {
    if !options.tls.is_on() {
        return Ok(connector);
    }
    let pems = options.tls.read(NAME)?;
    // The library's error may print what it was given, and that holds a key.
    let wrong = |_| error(ErrorKind::Config, "dial", "the TLS files cannot be used");
    let text = |pem: &[u8]| String::from_utf8_lossy(pem).into_owned();
    provide();
    let mut tls = zk::TlsOptions::new();
    if let Some(ca) = &pems.ca {
        tls = tls.with_pem_ca(&text(ca)).map_err(wrong)?;
    }
    if let Some((cert, key)) = &pems.identity {
        tls = tls.with_pem_identity(&text(cert), key.expose()).map_err(wrong)?;
    }
    Ok(connector.with_tls(tls))
}

/// The library takes the process's crypto provider, and panics when there is none and several are compiled in.
#[cfg(feature = "tls")]
fn provide() {
    use rustls::crypto::{CryptoProvider, ring};

    if CryptoProvider::get_default().is_none() {
        // Set by somebody else meanwhile: as good.
        drop(ring::default_provider().install_default());
    }
}

#[cfg(not(feature = "tls"))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as with the feature")]
fn secure(_options: &Options, connector: zk::Connector) -> Result<zk::Connector> {
    Ok(connector)
}

#[cfg(feature = "sasl")]
fn login(connector: zk::Connector, name: &str, password: &Secret) -> zk::Connector {
    connector.with_sasl(zk::SaslOptions::digest_md5(name.to_owned(), password.expose().to_owned()))
}

#[cfg(not(feature = "sasl"))]
fn login(connector: zk::Connector, _name: &str, _password: &Secret) -> zk::Connector {
    connector
}
