//! Who we are and how we speak: the user, SASL and TLS.

use std::fmt;

use reception_core::{ErrorKind, Result, Secret};
use zookeeper_client as zk;

use super::{MOST_PASSWORD, OPERATION, Options};
use crate::{
    error::{NAME, error},
    session::{Hosts, Recipe},
};

impl Options {
    /// How a session is come by, and as whom.
    pub(crate) fn recipe(&self, hosts: Hosts) -> Result<(Recipe, Option<String>)> {
        if let Some(client) = &self.client {
            return Ok((Recipe::Given(client.clone()), None));
        }
        let user = self.credentials()?;
        if user.is_some() && !self.tls {
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
        let recipe =
            Recipe::Dial { connector: Box::new(connector), hosts, tls: self.tls, owned: user.is_some() };
        Ok((recipe, user.map(|(name, _)| name)))
    }

    /// The user with the password, which may be in a file.
    pub(crate) fn credentials(&self) -> Result<Option<(String, Secret)>> {
        let refuse = |why: String| Err(error(ErrorKind::Config, OPERATION, why));
        match (&self.user, &self.password_file) {
            (None, None) => Ok(None),
            (None, Some(_)) => refuse("option \"password_file\" needs a user".to_owned()),
            (Some((_, Some(_))), Some(_)) => refuse("the password is given twice".to_owned()),
            (Some((_, None)), None) => refuse("the user has no password".to_owned()),
            (Some((name, Some(password))), None) => Ok(Some((name.clone(), password.clone()))),
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
                Ok(Some((name.clone(), text)))
            }
        }
    }
}

#[cfg(feature = "tls")]
fn secure(options: &Options, connector: zk::Connector) -> Result<zk::Connector> {
    use reception_kit::tls::Files;

    if !options.tls {
        return Ok(connector);
    }
    let files = Files { ca: options.ca.clone(), cert: options.cert.clone(), key: options.key.clone() };
    let pems = files.read(crate::error::NAME)?;
    // The library's error may print what it was given, and that holds a key.
    let wrong = |_| error(ErrorKind::Config, OPERATION, "the TLS files cannot be used");
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
