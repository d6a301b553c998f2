//! Who signs, and for whom.

use std::{fs, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use reception_lab::{Consul, ConsulOptions, ConsulTls};
use tempfile::TempDir;

/// An authority and the files that it signed.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    pub(crate) ca: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key), ca }
    }

    pub(crate) fn sign(&self, name: &str, subject: &str) -> (PathBuf, PathBuf) {
        self.sign_as(name, CertificateParams::new(vec![subject.to_owned()]).unwrap())
    }

    /// A certificate whose time has passed.
    pub(crate) fn sign_expired(&self, name: &str, subject: &str) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        self.sign_as(name, params)
    }

    fn sign_as(&self, name: &str, mut params: CertificateParams) -> (PathBuf, PathBuf) {
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let paths =
            (self.folder.path().join(format!("{name}.pem")), self.folder.path().join(format!("{name}.key")));
        fs::write(&paths.0, cert.pem()).unwrap();
        fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }

    pub(crate) async fn agent(&self, subject: &str, client_auth: bool) -> Consul {
        let (cert, key) = self.sign("agent", subject);
        let tls = ConsulTls::new(&self.ca, cert, key).client_auth(client_auth);
        Consul::start_with(ConsulOptions::default().tls(tls)).await.unwrap()
    }
}
