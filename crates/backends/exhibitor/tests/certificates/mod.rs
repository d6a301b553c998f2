//! Certificates for one test.

use std::{fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// A folder with `ca.pem`, `server.pem` (key and certificate), `client.pem`, `client.key`, and `other.pem` of another authority.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        let (issuer, pem) = authority("lab");
        let (server, client) = (signed(&issuer), signed(&issuer));
        for (name, text) in [
            ("ca.pem", pem),
            ("server.pem", format!("{}{}", server.1, server.0)),
            ("client.pem", client.0),
            ("client.key", client.1),
            ("other.pem", authority("other").1),
        ] {
            fs::write(files.path(name), text).unwrap();
        }
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn signed(issuer: &Issuer<'static, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let cert = params.signed_by(&key, issuer).unwrap();
    (cert.pem(), key.serialize_pem())
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let cert = params.self_signed(&key).unwrap();
    (Issuer::new(params, key), cert.pem())
}
