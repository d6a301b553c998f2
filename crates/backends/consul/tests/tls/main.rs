//! TLS and mTLS: who is trusted, and what is said when somebody is not.

#![cfg(feature = "tls")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod authority;
mod wire;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use authority::Authority;
use futures_util::StreamExt;
use reception_consul::Options;
use reception_core::{
    Change, Client, ClientExt, Dialer, ErrorKind, RegistrationState, Result, Service, ServiceName,
};
use reception_lab::{Consul, ConsulOptions, ConsulTls, eventually};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

const SOON: Duration = Duration::from_secs(20);

async fn dial(url: &str) -> Result<Arc<dyn Client>> {
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(url).await
}

async fn secure(consul: &Consul, options: &str) -> Arc<dyn Client> {
    dial(&format!("consul://{}/test?timeout=2s&{options}", consul.secure_endpoint())).await.unwrap()
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

async fn works(client: &Arc<dyn Client>) {
    let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(one).await.unwrap();
    assert_eq!(client.list(&api()).await.unwrap().len(), 1);
    let mut watcher = client.watch(&api()).await.unwrap();
    let first = tokio::time::timeout(SOON, watcher.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(&first, Change::Reset(view) if view.len() == 1), "{first:?}");
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_the_named_authority_signed_is_trusted() {
    let authority = Authority::new();
    let consul = authority.agent("127.0.0.1", false).await;
    let ca = authority.ca.display();
    works(&secure(&consul, &format!("ca={ca}")).await).await;
    let url = format!("consul+tls://{}/test?ca={ca}", consul.secure_endpoint());
    works(&dial(&url).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_asks_for_a_certificate_gets_ours() {
    let authority = Authority::new();
    let consul = authority.agent("127.0.0.1", true).await;
    let (cert, key) = authority.sign("client", "client");
    let ca = format!("ca={}", authority.ca.display());
    works(&secure(&consul, &format!("{ca}&cert={}&key={}", cert.display(), key.display())).await).await;
    let error = secure(&consul, &ca).await.list(&api()).await.unwrap_err();
    // The agent closes the connection, and says why only if that is read before the end.
    assert!([ErrorKind::Config, ErrorKind::Unavailable].contains(&error.kind()), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_trusted_is_refused_and_says_why() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let consul = authority.agent("127.0.0.1", false).await;
    let elsewhere = authority.agent("elsewhere.example", false).await;
    for (agent, ca) in [(&consul, &stranger.ca), (&elsewhere, &authority.ca)] {
        let error = secure(agent, &format!("ca={}", ca.display())).await.list(&api()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_taken_and_one_whose_time_has_passed_is_waited_out() {
    let authority = Authority::new();
    let (cert, key) = authority.sign("agent", "127.0.0.1");
    let tls = ConsulTls::new(&authority.ca, cert, key);
    let consul = Consul::start_with(ConsulOptions::default().durable(true).tls(tls)).await.unwrap();
    let client = secure(&consul, &format!("ca={}", authority.ca.display())).await;
    let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(one).await.unwrap();
    let mut watcher = client.watch(&api()).await.unwrap();
    // What is not trusted is tried again every 30 s.
    let mut next = async || tokio::time::timeout(SOON * 3, watcher.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(next().await, Change::Reset(view) if view.len() == 1));

    authority.sign_expired("agent", "127.0.0.1");
    consul.restart().await.unwrap();
    while !matches!(next().await, Change::Stale(_)) {}
    eventually(SOON, || async {
        match client.list(&api()).await {
            Err(error) if error.kind() == ErrorKind::Config && error.to_string().contains("certificate") => {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();

    authority.sign("agent", "127.0.0.1");
    consul.restart().await.unwrap();
    eventually(SOON * 2, || async {
        let (state, view) = (registration.state(), client.list(&api()).await);
        let well =
            matches!(state, RegistrationState::Active) && view.as_ref().is_ok_and(|view| view.len() == 1);
        if well { Ok(()) } else { Err(format!("{state:?} {view:?}")) }
    })
    .await
    .unwrap();
    // It may have been away too long: then it is seen to come back.
    let whole = async {
        loop {
            match next().await {
                Change::Reset(view) if view.len() == 1 => return,
                Change::Patch(patch) if !patch.upserted().is_empty() => return,
                _ => {}
            }
        }
    };
    whole.await;
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_plain_text_do_not_hang_on_each_other() {
    let authority = Authority::new();
    let consul = authority.agent("127.0.0.1", false).await;
    let ca = authority.ca.display();
    for url in [
        format!("consul://{}/test?timeout=2s", consul.secure_endpoint()),
        format!("consul+tls://{}/test?timeout=2s&ca={ca}", consul.endpoint()),
    ] {
        let client = dial(&url).await.unwrap();
        let answer = tokio::time::timeout(SOON, client.list(&api())).await.unwrap();
        let error = answer.unwrap_err();
        assert!(
            [ErrorKind::Config, ErrorKind::Protocol, ErrorKind::Unavailable].contains(&error.kind()),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_gives_tls_of_its_own() {
    let authority = Authority::new();
    let consul = authority.agent("127.0.0.1", true).await;
    let (cert, key) = authority.sign("client", "client");
    let read = |path: &PathBuf| fs::read(path).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&read(&authority.ca)).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(&read(&cert)).unwrap()];
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&read(&key)).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let options = || Options::new([consul.secure_endpoint().to_string()]).tls_config(Arc::clone(&config));
    works(&reception_consul::dial(options()).await.unwrap()).await;
    let error = reception_consul::dial(options().ca(&authority.ca)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
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
        let error = dial(&format!("consul://h1/test?{options}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(why), "{options}: {error}");
    }
}
