//! What the real command says before it does anything: help, and that it was called in a wrong way.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::{
    io::pipe,
    process::{Command, Output, Stdio},
};

fn reception(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reception"));
    command.args(words).stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

fn ended(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("it runs");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[test]
fn help_that_nobody_reads_ends_in_order() {
    for words in [["--help"], ["--version"], ["help"]] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let mut help = reception(&words);
        help.stdout(writer);
        assert_eq!(ended(help), (Some(0), String::new()), "{words:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn help_that_cannot_be_written_fails_with_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a disk that is always full");
    let mut help = reception(&["--help"]);
    help.stdout(full);
    let (code, told) = ended(help);
    assert!(code == Some(1) && told.starts_with("error: ") && told.lines().count() == 1, "{code:?}: {told}");
}

#[test]
fn a_url_in_the_wrong_place_is_not_repeated_with_its_password() {
    const URL: &str = "etcd://root:hidden@h:2379/x";
    let register = ["register", "api", "--address", "h", "--port", "1"];
    for words in [
        vec![URL, "list"],
        vec!["list", URL],
        vec!["list", "api", URL],
        [&register[..], &["--check-http", URL]].concat(),
    ] {
        let (code, told) = ended(reception(&words));
        assert_eq!((code, told.contains("hidden")), (Some(2), false), "{words:?}: {told}");
        assert!(told.starts_with("error: "), "{words:?}: {told}");
    }
}
