//! TLS to Exhibitor: a door that speaks it, before a real one.

#![cfg(feature = "tls")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod certificates;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use certificates::Files;
use reception_core::{Client, ClientExt, Dialer, ErrorKind, ServiceName};
use reception_lab::{Exhibitor, Listed, ZooKeeper};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Passes on what comes over TLS, from clients with a certificate alone.
async fn door(files: &Files, exhibitor: SocketAddr) -> SocketAddr {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(files.path("ca.pem")).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(files.path("server.pem")).unwrap().collect();
    let key = PrivateKeyDer::from_pem_file(files.path("server.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(chain.unwrap(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    drop(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut inside) = acceptor.accept(stream).await else { continue };
            let mut behind = TcpStream::connect(exhibitor).await.unwrap();
            drop(tokio::io::copy_bidirectional(&mut inside, &mut behind).await);
        }
    }));
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_show_a_certificate_and_a_foreign_authority_is_not_trusted() {
    let files = Files::new();
    let zookeeper = ZooKeeper::start().await.unwrap();
    let listed = Listed::new(["127.0.0.1"], zookeeper.endpoint().port());
    let exhibitor = Exhibitor::start(listed).await.unwrap();
    let door = door(&files, exhibitor.endpoint()).await;
    let dialer = Dialer::new().with(reception_exhibitor::BACKEND).unwrap();
    let name = ServiceName::new("api").unwrap();
    let path = |file: &str| files.path(file).display().to_string();
    let identity = format!("cert={}&key={}", path("client.pem"), path("client.key"));
    let times = "ttl=3s&timeout=2s";
    let good = format!("exhibitor+tls://{door}/prod?{times}&ca={}&{identity}", path("ca.pem"));
    let client = dialer.dial(&good).await.unwrap();
    assert!(client.list(&name).await.unwrap().is_empty());
    client.close().await.unwrap();
    let foreign = format!("{times}&ca={}&{identity}", path("other.pem"));
    let plain = exhibitor.endpoint();
    for bad in [
        format!("exhibitor+tls://{door}/prod?{foreign}"),
        format!("exhibitor+tls://{door}/prod?{times}&ca={}", path("ca.pem")),
        format!("exhibitor+tls://{plain}/prod?{times}&ca={}", path("ca.pem")),
        format!("exhibitor://{door}/prod?{times}"),
    ] {
        let client = dialer.dial(&bad).await.unwrap();
        let begun = tokio::time::Instant::now();
        let refused = client.list(&name).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{bad}");
        drop(client.close().await);
    }
}

#[tokio::test]
async fn options_that_do_not_fit_are_refused_before_anything_is_sent() {
    let dialer = Dialer::new().with(reception_exhibitor::BACKEND).unwrap();
    for url in [
        "exhibitor://127.0.0.1:1/prod?poll=1ms",
        "exhibitor://127.0.0.1:1/prod?prefix=war",
        "exhibitor://127.0.0.1:1/prod?fallback=a/b",
        "exhibitor://127.0.0.1:1/prod?fallback=",
        "exhibitor://127.0.0.1:1/prod?tls=true",
        "exhibitor+tls://127.0.0.1:1/prod?tls=false",
        "exhibitor://127.0.0.1:1/prod?zk_tls=true",
        "exhibitor://127.0.0.1:1/prod?zk_tls=false&zk_ca=/a",
        "exhibitor://127.0.0.1:1/prod?zk_sasl",
        "exhibitor://127.0.0.1:1/prod?sasl=true",
        "exhibitor://127.0.0.1:1/prod?zk_user=app",
        "exhibitor://app@127.0.0.1:1/prod",
        "exhibitor://app:x@127.0.0.1:1/prod?user=app&password_file=/a",
        "exhibitor://127.0.0.1:1/prod?layout=nothing",
        "exhibitor://127.0.0.1:1/prod?ttl=1ms",
        "exhibitor:///prod",
    ] {
        let refused = dialer.dial(url).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config, "{url}: {refused}");
    }
    let files = Files::new();
    let unfit = format!("exhibitor+tls://h1,-h2/prod?ca={}", files.path("ca.pem").display());
    let refused = dialer.dial(&unfit).await.unwrap_err();
    assert!(refused.to_string().contains("-h2:8080 is no name for TLS"), "{refused}");
}
