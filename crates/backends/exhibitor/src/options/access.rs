//! Who we are to Exhibitor, and TLS.

use reception_core::Result;

use super::{Options, Place};
#[cfg(feature = "tls")]
use crate::error::config;
use crate::{ask::Asker, error::NAME};

impl Options {
    /// Makes the asker speak TLS, if that is wanted.
    pub(super) fn secured(&self, asker: Asker, places: &[Place]) -> Result<Asker> {
        self.tls.check(NAME, cfg!(feature = "tls"))?;
        if self.tls.is_on() {
            return self.secure(asker, places);
        }
        if self.login.has_user() {
            // Basic authentication shows the password itself.
            tracing::warn!(
                backend = NAME,
                "the user logs in to Exhibitor without TLS: who reads along can do so, too"
            );
        }
        Ok(asker)
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same shape as with the feature")]
    fn secure(&self, asker: Asker, _places: &[Place]) -> Result<Asker> {
        Ok(asker)
    }

    #[cfg(feature = "tls")]
    fn secure(&self, asker: Asker, places: &[Place]) -> Result<Asker> {
        use std::sync::Arc;

        use rustls::{
            ClientConfig, RootCertStore,
            crypto::ring,
            pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        };

        for place in places {
            place.name()?;
        }
        let pems = self.tls.read(NAME)?;
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
