//! The tour between processes of this machine: the same transcript, with a child process that is really killed, and no server.
#![cfg(all(feature = "local", any(target_os = "linux", target_os = "macos")))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod seen;

use std::{env, fs};

#[tokio::test]
async fn the_tour_sees_everything_in_a_folder() {
    let folder = env::temp_dir().join(format!("reception-tour-{}", std::process::id()));
    let words = ["crashes, its process is killed", "at once", "elected with token", "everything was seen"];
    seen::tour(&format!("local://{}?any_fs=true", folder.display()), &words).await;
    fs::remove_dir_all(&folder).unwrap();
}
