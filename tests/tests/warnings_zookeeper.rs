//! What is warned of on ZooKeeper, and when. Alone in its program: what is logged belongs to a thread, and which places log at all to the process.
#![expect(clippy::expect_used, reason = "a test may panic")]

use reception::ClientExt as _;
use reception_lab::ZooKeeper;
use reception_tests::{Log, api, dial, instance};

/// What a client warns of that registers two instances.
async fn warnings(url: &str) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let layer = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // The tasks of the client run on this thread, too.
    let watching = tracing_subscriber::util::SubscriberInitExt::set_default(layer);
    let client = dial(url).await;
    client.list(&api()).await.expect("a list");
    let read_only = log.text();
    assert!(!read_only.contains("no user"), "who only reads leaves nothing open: {read_only}");
    let first = client.register(instance("i")).await.expect("registered");
    let second = client.register(instance("j")).await.expect("registered");
    first.close().await.expect("withdrawn");
    second.close().await.expect("withdrawn");
    client.close().await.expect("closed");
    drop(watching);
    let told = log.text();
    assert!(!told.contains("canary"), "{told}");
    told.lines().filter(|line| line.contains("WARN") && line.contains("user")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_store_that_is_open_to_everybody_is_warned_of_once() {
    let server = ZooKeeper::start().await.expect("a server");
    for (user, warned) in [("", "no user is given"), ("me:canary@", "without TLS")] {
        let told = warnings(&format!("zk://{user}{}/{}", server.endpoint(), warned.len())).await;
        assert!(told.len() == 1 && told[0].contains(warned), "{told:?}");
    }
}
