//! The tour on a real ZooKeeper: the same transcript, with a child process that is really killed.
#![cfg(feature = "zookeeper")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod seen;

use reception_lab::ZooKeeper;

#[tokio::test]
async fn the_tour_sees_everything_on_a_real_zookeeper() {
    let server = ZooKeeper::start().await.unwrap();
    let words =
        ["joins", "changes", "leaves", "crashes", "elected with token", "lost", "everything was seen"];
    seen::tour(&format!("zk://{}", server.endpoint()), &words).await;
}
