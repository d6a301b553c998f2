//! The tour between processes of this machine: the same transcript, with a child process that is really killed, and no server.
#![cfg(all(feature = "local", any(target_os = "linux", target_os = "macos")))]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{env, fs, path::PathBuf, time::Duration};

use tokio::{process::Command, time::timeout};

/// Cargo builds the examples of a package beside its tests, unless one test alone is asked for.
fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    profile.join("examples").join(format!("tour{}", env::consts::EXE_SUFFIX))
}

#[tokio::test]
async fn the_tour_sees_everything_in_a_folder() {
    let folder = env::temp_dir().join(format!("reception-tour-{}", std::process::id()));
    let url = format!("local://{}?any_fs=true", folder.display());
    let run = Command::new(program()).arg(&url).kill_on_drop(true).output();
    let output =
        timeout(Duration::from_secs(90), run).await.expect("it gives up by itself after 60 s").unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let transcript = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{transcript}\n{}", String::from_utf8_lossy(&output.stderr));
    for line in ["crashes, its process is killed", "at once", "elected with token", "everything was seen"] {
        assert!(transcript.contains(line), "no line says {line:?}:\n{transcript}");
    }
}
