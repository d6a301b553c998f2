//! What every test of the tour does: run it on a store and look at its transcript.

use std::{path::PathBuf, time::Duration};

use tokio::{process::Command, time::timeout};

/// Cargo builds the examples of a package beside its tests, unless one test alone is asked for.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    profile.join("examples").join(format!("tour{}", std::env::consts::EXE_SUFFIX))
}

/// Runs the tour on the store at `url` and wants these words in what it tells.
pub(crate) async fn tour(url: &str, words: &[&str]) {
    let run = Command::new(program()).arg(url).kill_on_drop(true).output();
    let output =
        timeout(Duration::from_secs(90), run).await.expect("it gives up by itself after 60 s").unwrap();
    let transcript = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{transcript}\n{said}");
    for word in words {
        assert!(transcript.contains(word), "no line says {word:?}:\n{transcript}");
    }
}
