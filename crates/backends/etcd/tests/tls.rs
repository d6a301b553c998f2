//! TLS and mTLS: who is trusted, and what is said when somebody is not.

#![cfg(feature = "tls")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests panic")]

#[expect(dead_code, reason = "each test program uses its part")]
mod support;

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use reception_core::{Client, ClientExt, ErrorKind};
use reception_lab::{Etcd, EtcdOptions, EtcdTls};
use support::{Follower, dial_url, instance, listed};
use tempfile::TempDir;

/// An authority and the files that it signed.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    ca: PathBuf,
}

impl Authority {
    fn new() -> Self {
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

    fn sign(&self, name: &str, subject: &str) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let paths =
            (self.folder.path().join(format!("{name}.pem")), self.folder.path().join(format!("{name}.key")));
        fs::write(&paths.0, cert.pem()).unwrap();
        fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }

    async fn server(&self, subject: &str, client_auth: bool) -> Etcd {
        let (cert, key) = self.sign("server", subject);
        let tls = EtcdTls::new(&self.ca, cert, key).client_auth(client_auth);
        Etcd::start_with(EtcdOptions::default().tls(tls)).await.unwrap()
    }
}

async fn dial(etcd: &Etcd, options: &str) -> Arc<dyn Client> {
    dial_url(&format!("etcd://{}/test?ttl=4s&timeout=2s&{options}", etcd.endpoint())).await.unwrap()
}

async fn works(client: &Arc<dyn Client>) {
    let registration = client.register(instance("one")).await.unwrap();
    listed(client, &["one"]).await;
    let mut follower = Follower::of(client).await;
    follower.shows(&["one"]).await;
    registration.close().await.unwrap();
    follower.shows(&[]).await;
}

#[tokio::test]
async fn a_server_that_the_named_authority_signed_is_trusted() {
    let authority = Authority::new();
    let etcd = authority.server("127.0.0.1", false).await;
    works(&dial(&etcd, &format!("ca={}", authority.ca.display())).await).await;
    let url = format!("etcd+https://{}/test?ca={}", etcd.endpoint(), authority.ca.display());
    works(&dial_url(&url).await.unwrap()).await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_ours() {
    let authority = Authority::new();
    let etcd = authority.server("127.0.0.1", true).await;
    let (cert, key) = authority.sign("client", "client");
    let ca = format!("ca={}", authority.ca.display());
    works(&dial(&etcd, &format!("{ca}&cert={}&key={}", cert.display(), key.display())).await).await;
    let error = dial(&etcd, &ca).await.list(&support::api()).await.unwrap_err();
    // The server closes the connection, and says why only if that is read before the end.
    assert!([ErrorKind::Config, ErrorKind::Unavailable].contains(&error.kind()), "{error}");
}

#[tokio::test]
async fn what_is_not_trusted_is_refused_and_says_why() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let etcd = authority.server("127.0.0.1", false).await;
    let error = dial(&etcd, &format!("ca={}", stranger.ca.display())).await.list(&support::api()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    let elsewhere = authority.server("elsewhere.example", false).await;
    let client = dial(&elsewhere, &format!("ca={}", authority.ca.display())).await;
    let error = client.list(&support::api()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let mut follower = Follower::of(&client).await;
    follower.stale().await;
}

#[tokio::test]
async fn tls_and_plain_text_do_not_hang_on_each_other() {
    let authority = Authority::new();
    let secure = authority.server("127.0.0.1", false).await;
    let plain = Etcd::start().await.unwrap();
    for client in [
        dial_url(&format!("etcd://{}/test?timeout=2s", secure.endpoint())).await.unwrap(),
        dial(&plain, &format!("ca={}", authority.ca.display())).await,
    ] {
        let error = client.list(&support::api()).await.unwrap_err();
        assert!(
            [ErrorKind::Config, ErrorKind::Protocol, ErrorKind::Unavailable].contains(&error.kind()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn half_given_and_wrong_files_are_refused_by_dial() {
    let authority = Authority::new();
    let (cert, key) = authority.sign("client", "client");
    let (_, other) = authority.sign("other", "other");
    let ca = authority.ca.display();
    for (options, why) in [
        ("tls=true".to_owned(), "needs option \"ca\""),
        (format!("ca={ca}&cert={}", cert.display()), "option \"cert\" needs \"key\""),
        (format!("ca={ca}&key={}", key.display()), "option \"key\" needs \"cert\""),
        (format!("ca={ca}&cert={}&key={}", cert.display(), other.display()), "is not the key of"),
        ("ca=/missing".to_owned(), "option \"ca\": /missing: entity not found"),
        (format!("ca={ca}&tls=false"), "option \"tls\" is false"),
    ] {
        let error = dial_url(&format!("etcd://h1/test?{options}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(why), "{options}: {error}");
    }
}
