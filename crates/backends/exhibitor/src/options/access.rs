//! Who we are to Exhibitor, and TLS.

use std::fmt;

use reception_core::{Result, Secret};

use super::Options;
use crate::{ask::Asker, error::config};

const MOST_PASSWORD: u64 = 4096;

impl Options {
    /// The user with the password, which may be in a file.
    pub(super) fn credentials(&self) -> Result<Option<(String, Secret)>> {
        match (&self.user, &self.password_file) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(config("option \"password_file\" needs a user")),
            (Some((_, Some(_))), Some(_)) => Err(config("the password is given twice")),
            (Some((_, None)), None) => Err(config("the user has no password")),
            (Some((name, Some(password))), None) => Ok(Some((name.clone(), password.clone()))),
            (Some((name, None)), Some(file)) => {
                let wrong = |what: &dyn fmt::Display| {
                    config(format!("option \"password_file\": {}: {what}", file.display()))
                };
                let size = std::fs::metadata(file).map_err(|error| wrong(&error.kind()))?.len();
                if size > MOST_PASSWORD {
                    return Err(wrong(&format!("has over {MOST_PASSWORD} bytes")));
                }
                let text = std::fs::read_to_string(file).map_err(|error| wrong(&error.kind()))?;
                let password = Secret::new(text.trim_end_matches(['\r', '\n']));
                if password.expose().is_empty() {
                    return Err(wrong(&"is empty"));
                }
                Ok(Some((name.clone(), password)))
            }
        }
    }

    /// Makes the asker speak TLS, if that is wanted.
    pub(super) fn secured(&self, asker: Asker) -> Result<Asker> {
        if self.cert.is_some() != self.key.is_some() {
            return Err(config("options \"cert\" and \"key\" need each other"));
        }
        if !self.tls {
            return Ok(asker);
        }
        if self.ca.is_none() {
            return Err(config("TLS needs option \"ca\": no authority is trusted unless it is named"));
        }
        self.secure(asker)
    }

    #[cfg(not(feature = "tls"))]
    fn secure(&self, _asker: Asker) -> Result<Asker> {
        Err(config("TLS is compiled out: turn the feature \"tls\" on"))
    }

    #[cfg(feature = "tls")]
    fn secure(&self, asker: Asker) -> Result<Asker> {
        use std::sync::Arc;

        use reception_kit::tls::Files;
        use rustls::{
            ClientConfig, RootCertStore,
            crypto::ring,
            pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        };

        let files = Files { ca: self.ca.clone(), cert: self.cert.clone(), key: self.key.clone() };
        let pems = files.read(crate::error::NAME)?;
        // The files were checked: what a library says of them may repeat them.
        let wrong = || config("the TLS files cannot be used");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pems.ca.as_deref().unwrap_or_default()) {
            roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|_| wrong())?.with_root_certificates(roots);
        let made = match &pems.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| wrong())?;
                builder.with_client_auth_cert(chain.map_err(|_| wrong())?, key).map_err(|_| wrong())?
            }
        };
        Ok(asker.secure(tokio_rustls::TlsConnector::from(Arc::new(made))))
    }
}
