//! An etcd with certificates. It reads its certificate anew at each handshake, so another one needs no restart.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use reception_lab::EtcdTls;

use crate::stand::{Seal, Shown};

const HOST: &str = "127.0.0.1";

pub(super) struct Sealed {
    folder: PathBuf,
    ours: Issuer<'static, KeyPair>,
    theirs: Issuer<'static, KeyPair>,
    server: KeyPair,
    /// Clients must show a certificate as well.
    both: bool,
}

impl Sealed {
    /// Makes the authority, the server's certificate and a client's in `folder`.
    pub(super) fn new(folder: &Path, both: bool) -> Self {
        let ((ours, ca), (theirs, _)) = (authority("ours"), authority("theirs"));
        let server = KeyPair::generate().expect("a key");
        let this = Self { folder: folder.to_owned(), ours, theirs, server, both };
        this.write("ca.pem", &ca);
        this.write("server.key", &this.server.serialize_pem());
        this.show(Shown::Rotated);
        let client = KeyPair::generate().expect("a key");
        let signed = params("client").signed_by(&client, &this.ours).expect("a certificate");
        this.write("client.pem", &signed.pem());
        this.write("client.key", &client.serialize_pem());
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        // In one step: the server may read it at any moment.
        fs::write(self.path("fresh"), text).expect("the file is written");
        fs::rename(self.path("fresh"), self.path(name)).expect("the file is put in place");
    }

    pub(super) fn of_server(&self) -> EtcdTls {
        let [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map(|name| self.path(name));
        EtcdTls::new(ca, cert, key).client_auth(self.both)
    }

    /// The options of a URL that name the files.
    pub(super) fn files(&self) -> String {
        let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(|name| self.path(name));
        let identity =
            if self.both { format!("&cert={}&key={}", cert.display(), key.display()) } else { String::new() };
        format!("&ca={}{identity}", ca.display())
    }
}

impl Seal for Sealed {
    fn show(&self, shown: Shown) {
        let mut params = params(if shown == Shown::Misnamed { "elsewhere.example" } else { HOST });
        if shown == Shown::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        }
        let issuer = if shown == Shown::Foreign { &self.theirs } else { &self.ours };
        let signed = params.signed_by(&self.server, issuer).expect("a certificate");
        self.write("server.pem", &signed.pem());
    }

    fn url_without_certificate(&self, endpoint: SocketAddr, namespace: &str) -> String {
        format!("etcd://{endpoint}/{namespace}?ca={}", self.path("ca.pem").display())
    }
}

fn params(subject: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![subject.to_owned()]).expect("a subject");
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}

/// An authority, and its certificate as text.
fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    (Issuer::new(params, key), certificate)
}
