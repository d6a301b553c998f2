//! The tour on a real Exhibitor before a real ZooKeeper: the same transcript, with a child process that is really killed.
#![cfg(feature = "exhibitor")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::PathBuf, time::Duration};

use reception_lab::{Exhibitor, Listed, ZooKeeper};
use tokio::{process::Command, time::timeout};

/// Cargo builds the examples of a package beside its tests, unless one test alone is asked for.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    profile.join("examples").join(format!("tour{}", std::env::consts::EXE_SUFFIX))
}

#[tokio::test]
async fn the_tour_sees_everything_on_a_real_exhibitor() {
    let server = ZooKeeper::start().await.unwrap();
    let listed = Listed::new(["127.0.0.1"], server.endpoint().port());
    let exhibitor = Exhibitor::start(listed).await.unwrap();
    let url = format!("exhibitor://{}", exhibitor.endpoint());
    let run = Command::new(program()).arg(&url).kill_on_drop(true).output();
    let output =
        timeout(Duration::from_secs(90), run).await.expect("it gives up by itself after 60 s").unwrap();
    let transcript = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{transcript}\n{said}");
    for line in ["joins", "changes", "leaves", "crashes", "elected with token", "lost", "everything was seen"]
    {
        assert!(transcript.contains(line), "no line says {line:?}:\n{transcript}");
    }
}
