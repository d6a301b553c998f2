//! What is wrong on this machine: files that cannot be used, and places where the server of `check=http` cannot listen.

use std::{fs, net::SocketAddr, path::PathBuf, thread};

use rcgen::{CertificateParams, KeyPair};
use reception::{ClientExt as _, ErrorKind};
use reception_lab::{Consul, ConsulApi};
use reception_tests::{instance, patiently};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime};

use super::super::refused;

/// Where only who may do everything listens, unless the system says otherwise.
const LOW_PORT: u16 = 1023;
const LOWEST_FREE: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

struct Files(TempDir);

impl Files {
    fn file(&self, name: &str, content: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::write(&path, content).expect("written");
        path.display().to_string()
    }

    /// A certificate and its key, as good as any.
    fn identity(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let cert = CertificateParams::new(vec!["localhost".to_owned()]).expect("may be");
        let cert = cert.self_signed(&key).expect("signs").pem();
        (self.file(&format!("{name}.pem"), &cert), self.file(&format!("{name}.key"), &key.serialize_pem()))
    }
}

/// B29. The option and the path are told, and nothing of what the file holds.
#[tokio::test]
async fn a_file_that_is_wrong_is_named_and_never_shown() {
    let files = Files(tempfile::tempdir().expect("a folder"));
    let ((good, key), (_, other)) = (files.identity("good"), files.identity("other"));
    let block = |label: &str| format!("-----BEGIN {label}-----\nY2FuYXJ5\n-----END {label}-----\n");
    let (empty, noise) = (files.file("empty.pem", ""), files.file("noise.pem", "canary canary canary"));
    let encrypted = files.file("encrypted.pem", &block("ENCRYPTED PRIVATE KEY"));
    let broken = files.file("broken.pem", &block("CERTIFICATE"));
    let missing = files.0.path().join("missing.pem").display().to_string();
    for (option, path, query) in [
        ("ca", &missing, format!("ca={missing}")),
        ("ca", &empty, format!("ca={empty}")),
        ("ca", &noise, format!("ca={noise}")),
        ("ca", &broken, format!("ca={broken}")),
        ("cert", &noise, format!("ca={good}&cert={noise}&key={key}")),
        ("key", &missing, format!("ca={good}&cert={good}&key={missing}")),
        ("key", &encrypted, format!("ca={good}&cert={good}&key={encrypted}")),
        ("key", &other, format!("ca={good}&cert={good}&key={other}")),
        ("token_file", &missing, format!("token_file={missing}")),
    ] {
        let error = refused(&format!("consul://127.0.0.1:1?{query}")).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{query}: {error}");
        let named = format!("option \"{option}\": {path}: ");
        assert!(error.context().starts_with(&named), "{error} begins with {named}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("canary") && !told.contains("BEGIN") && !told.contains("Y2Fu"), "{told}");
    }
}

/// Registers with a health server there; the error, or none when it can listen.
async fn listening(agent: SocketAddr, bind: &str) -> Option<reception::Error> {
    let url = format!("consul://{agent}/x?check=http&check_bind={bind}&timeout=2s");
    let client = match reception::dial(&url).await {
        Ok(client) => client,
        Err(error) => return Some(error),
    };
    let registered = patiently("register", client.register(instance("i"))).await;
    drop(client.close().await);
    registered.err()
}

async fn nothing_is_registered(agent: SocketAddr) {
    let services = ConsulApi::new(agent).get("/v1/agent/services").await.expect("answers").body;
    assert_eq!(services.trim(), "{}", "nothing was registered");
}

/// B28: in use, of another machine, no address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_server_that_cannot_listen_is_told_before_anything_is_registered() {
    let server = Consul::start().await.expect("an agent");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = taken.local_addr().expect("bound");
    for bind in [taken.to_string(), "192.0.2.1:0".to_owned(), "nonsense".to_owned()] {
        let error = listening(server.endpoint(), &bind).await.expect("nowhere to listen");
        assert_eq!(error.kind(), ErrorKind::Config, "{bind}: {error}");
        assert!(error.context().contains(&bind), "{error} names {bind}");
        nothing_is_registered(server.endpoint()).await;
    }
}

/// B28: a port for which one needs a right that this thread gives away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_server_without_the_right_to_its_port_is_told_before_anything_is_registered() {
    let server = Consul::start().await.expect("an agent");
    let agent = server.endpoint();
    let unprivileged = move || {
        let mut rights = capabilities(None).expect("told");
        rights.effective.remove(CapabilitySet::NET_BIND_SERVICE);
        set_capabilities(None, rights).expect("given away");
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let outcome = listening(agent, &format!("127.0.0.1:{LOW_PORT}")).await;
            nothing_is_registered(agent).await;
            outcome
        })
    };
    let outcome = thread::spawn(unprivileged).join().expect("does not panic");
    let lowest: u16 = fs::read_to_string(LOWEST_FREE).expect("told").trim().parse().expect("a number");
    if lowest > LOW_PORT {
        let error = outcome.expect("not allowed to listen");
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.context().ends_with(&format!("127.0.0.1:{LOW_PORT}: permission denied")), "{error}");
    } else {
        // Here everybody may.
        assert!(outcome.is_none(), "{outcome:?}");
    }
}
