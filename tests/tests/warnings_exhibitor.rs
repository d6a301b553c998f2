//! What is warned of on Exhibitor. Alone in its program: what is logged belongs to a thread, and which places log at all to the process.

use reception::ClientExt as _;
use reception_lab::{Exhibitor, ExhibitorOptions, Listed, ZooKeeper};
use reception_tests::{Log, api, dial};

#[tokio::test]
async fn a_password_that_goes_without_tls_is_warned_of_once() {
    let server = ZooKeeper::start().await.expect("a server");
    let login = ExhibitorOptions::default().login("me", "canary");
    let listed = Listed::new(["127.0.0.1"], server.endpoint().port());
    let exhibitor = Exhibitor::start_with(listed, login).await.expect("an Exhibitor");
    let log = Log::default();
    let writer = log.clone();
    let layer = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // The tasks of the client run on this thread, too.
    let watching = tracing_subscriber::util::SubscriberInitExt::set_default(layer);
    let client = dial(&format!("exhibitor://me:canary@{}/prod?poll=100ms", exhibitor.endpoint())).await;
    client.list(&api()).await.expect("a list");
    client.close().await.expect("closed");
    drop(watching);
    let told = log.text();
    assert!(!told.contains("canary") && !told.contains("Y2FuYXJ5"), "{told}");
    let warned: Vec<_> = told.lines().filter(|line| line.contains("without TLS")).collect();
    assert!(warned.len() == 1 && warned[0].contains("Exhibitor"), "{told}");
}
