//! The tour on a real Consul: the same transcript, with a child process that is really killed.
#![cfg(feature = "consul")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod seen;

use reception_lab::Consul;

#[tokio::test]
async fn the_tour_sees_everything_on_a_real_consul() {
    let server = Consul::start().await.unwrap();
    let words =
        ["joins", "changes", "leaves", "crashes", "elected with token", "lost", "everything was seen"];
    seen::tour(&format!("consul://{}", server.endpoint()), &words).await;
}
