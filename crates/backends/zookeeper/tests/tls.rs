//! TLS, on the secure port of a real server.

#![cfg(feature = "tls")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, path::PathBuf, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use reception_core::{
    Client, ClientExt, Dialer, ErrorKind, Registration, RegistrationState, Service, ServiceName,
};
use reception_lab::{ZooKeeper, ZooKeeperOptions, ZooKeeperTls, eventually};
use tempfile::TempDir;

struct Files {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (issuer, pem) = authority("lab");
        fs::write(folder.path().join("ca.pem"), pem).unwrap();
        let files = Self { folder, issuer };
        let (cert, key) = files.signed();
        fs::write(files.path("server.pem"), format!("{key}{cert}")).unwrap();
        let (cert, key) = files.signed();
        fs::write(files.path("client.pem"), cert).unwrap();
        fs::write(files.path("client.key"), key).unwrap();
        fs::write(files.path("other.pem"), authority("other").1).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn signed(&self) -> (String, String) {
        self.signed_for(&["127.0.0.1", "localhost"])
    }

    fn signed_for(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        (cert.pem(), key.serialize_pem())
    }
}

/// The server starts again with another certificate.
async fn shows(zookeeper: &ZooKeeper, files: &Files, (cert, key): (String, String)) {
    fs::write(files.path("server.pem"), format!("{key}{cert}")).unwrap();
    zookeeper.restart().await.unwrap();
}

async fn is_active(registration: &Registration) {
    let active = eventually(Duration::from_secs(40), || async {
        match registration.state() {
            RegistrationState::Active => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    active.await.unwrap();
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let cert = params.self_signed(&key).unwrap();
    (Issuer::new(params, key), cert.pem())
}

async fn server(files: &Files) -> ZooKeeper {
    let tls = ZooKeeperTls::new(files.path("ca.pem"), files.path("server.pem")).client_auth(true);
    ZooKeeper::start_with(ZooKeeperOptions::default().tls(tls)).await.unwrap()
}

fn query(ca: &Path, files: &Files) -> String {
    let (cert, key) = (files.path("client.pem"), files.path("client.key"));
    format!("ttl=3s&timeout=3s&ca={}&cert={}&key={}", ca.display(), cert.display(), key.display())
}

#[tokio::test]
async fn both_sides_show_a_certificate() {
    let files = Files::new();
    let zookeeper = server(&files).await;
    let dialer = Dialer::new().with(reception_zookeeper::BACKEND).unwrap();
    let secure = zookeeper.secure_endpoint();
    let url = format!("zk+tls://{secure}/prod?{}", query(&files.path("ca.pem"), &files));
    let client = dialer.dial(&url).await.unwrap();
    let api = Service::new("api", "10.0.0.7", 8080).unwrap();
    let registration = client.register(api).await.unwrap();
    assert_eq!(client.list(&ServiceName::new("api").unwrap()).await.unwrap().len(), 1);
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_spoken_to() {
    let files = Files::new();
    let zookeeper = server(&files).await;
    let dialer = Dialer::new().with(reception_zookeeper::BACKEND).unwrap();
    let foreign = query(&files.path("other.pem"), &files);
    let plain = zookeeper.endpoint();
    for endpoint in [zookeeper.secure_endpoint(), plain] {
        let client = dialer.dial(&format!("zk+tls://{endpoint}/prod?{foreign}")).await.unwrap();
        let name = ServiceName::new("api").unwrap();
        let begun = tokio::time::Instant::now();
        let refused = client.list(&name).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
        assert!(begun.elapsed() < Duration::from_secs(4));
        drop(client.close().await);
    }
}

#[tokio::test]
async fn a_server_with_a_certificate_of_another_name_is_not_spoken_to() {
    let files = Files::new();
    let (cert, key) = files.signed_for(&["zookeeper.example"]);
    fs::write(files.path("server.pem"), format!("{key}{cert}")).unwrap();
    let zookeeper = server(&files).await;
    let dialer = Dialer::new().with(reception_zookeeper::BACKEND).unwrap();
    let secure = zookeeper.secure_endpoint();
    let url = format!("zk+tls://{secure}/prod?{}", query(&files.path("ca.pem"), &files));
    let client = dialer.dial(&url).await.unwrap();
    let refused = client.list(&ServiceName::new("api").unwrap()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    drop(client.close().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_goes_on_over_a_new_certificate_and_waits_out_a_bad_one() {
    let files = Files::new();
    let zookeeper = server(&files).await;
    let dialer = Dialer::new().with(reception_zookeeper::BACKEND).unwrap();
    let (ca, cert, key) = (files.path("ca.pem"), files.path("client.pem"), files.path("client.key"));
    // The driver's pauses double. On a busy machine the server is away for ten seconds, so a session of 20 s
    // would end in the pause after the last try.
    let query =
        format!("ttl=60s&timeout=2s&ca={}&cert={}&key={}", ca.display(), cert.display(), key.display());
    let url = format!("zk+tls://{}/prod?{query}", zookeeper.secure_endpoint());
    let client = dialer.dial(&url).await.unwrap();
    let name = ServiceName::new("api").unwrap();
    let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(one).await.unwrap();
    let direct = zookeeper_client::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let created = direct.check_stat("/prod/api/one").await.unwrap().unwrap().czxid;

    shows(&zookeeper, &files, files.signed()).await;
    is_active(&registration).await;
    let bad = files.signed_for(&["zookeeper.example"]);
    shows(&zookeeper, &files, bad).await;
    let refused = client.list(&name).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(matches!(registration.state(), RegistrationState::Doubtful(_)), "{:?}", registration.state());
    shows(&zookeeper, &files, files.signed()).await;
    is_active(&registration).await;
    assert_eq!(client.list(&name).await.unwrap().len(), 1);
    let direct = zookeeper_client::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    assert_eq!(direct.check_stat("/prod/api/one").await.unwrap().unwrap().czxid, created, "it was made anew");
    registration.close().await.unwrap();
    client.close().await.unwrap();
}
