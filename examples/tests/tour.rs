//! The tour on a real etcd: the same transcript, with a child process that is really killed.
#![cfg(feature = "etcd")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod seen;

use reception_lab::Etcd;

#[tokio::test]
async fn the_tour_sees_everything_on_a_real_etcd() {
    let server = Etcd::start().await.unwrap();
    let words =
        ["joins", "changes", "leaves", "crashes", "elected with token", "lost", "everything was seen"];
    seen::tour(&format!("etcd://{}", server.endpoint()), &words).await;
}
