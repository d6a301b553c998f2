//! A command line of `reception`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use crate::run::{Ended, Run};

/// The program under test.
pub(crate) const RECEPTION: &str = env!("CARGO_BIN_EXE_reception");

/// What the environment of who runs the tests must not decide.
const OURS: &[&str] = &["RECEPTION_URL", "RUST_LOG", "NO_COLOR", "RECEPTION_TEST_WATCHDOG"];

/// A call that has not been made yet.
pub(crate) struct Call {
    words: Vec<OsString>,
    child: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    json: bool,
    stdout: Option<Stdio>,
}

impl Call {
    /// With nothing but these words, split at blanks.
    pub(crate) fn bare(words: &str) -> Self {
        let words = words.split_whitespace().map(OsString::from).collect();
        Self { words, child: Vec::new(), envs: Vec::new(), json: false, stdout: None }
    }

    /// On a store, with JSON; what children find in `DESK` is a folder of the case.
    pub(crate) fn on(url: &str, desk: &Path, words: &str) -> Self {
        let mut call = Self::bare(words).word("--url").word(url).env("DESK", desk);
        call.json = true;
        call
    }

    pub(crate) fn word(mut self, word: impl Into<OsString>) -> Self {
        self.words.push(word.into());
        self
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Text instead of JSON.
    pub(crate) fn text(mut self) -> Self {
        self.json = false;
        self
    }

    /// With this script of a shell as the child.
    pub(crate) fn child(self, script: &str) -> Self {
        self.program(&["sh", "-c", script])
    }

    /// With this program and its arguments as the child.
    pub(crate) fn program(mut self, words: &[&str]) -> Self {
        self.child = words.iter().map(OsString::from).collect();
        self
    }

    pub(crate) fn events(self, file: PathBuf) -> Self {
        self.word("--events").word(file)
    }

    /// Its lines go there.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = self.words.clone();
        if self.json {
            arguments.extend(["-o", "json"].map(OsString::from));
        }
        if !self.child.is_empty() {
            arguments.push("--".into());
            arguments.extend(self.child.iter().cloned());
        }
        arguments
    }

    /// As arguments of another program, which is to call it.
    pub(crate) fn by(&self, program: &str, first: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(first).arg(RECEPTION).args(self.arguments());
        self.dress(&mut command);
        command
    }

    fn dress(&self, command: &mut Command) {
        for name in OURS {
            command.env_remove(name);
        }
        command.envs(self.envs.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
    }

    pub(crate) fn start(mut self) -> Run {
        let mut command = Command::new(RECEPTION);
        command.args(self.arguments());
        self.dress(&mut command);
        command.stdin(Stdio::null()).stdout(self.stdout.take().unwrap_or_else(Stdio::piped));
        Run::start(command, self.json)
    }

    /// Starts it where the words ask for JSON themselves.
    pub(crate) fn start_json(self) -> Run {
        self.start().json()
    }

    /// Starts it and waits for its end.
    pub(crate) async fn end(self) -> Ended {
        self.start().end().await
    }
}
