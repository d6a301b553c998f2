//! A Java process that uses Curator as its users do; its commands are those of `tests/java/Curator.java`.

use std::{collections::VecDeque, net::SocketAddr, path::Path, sync::LazyLock};

use reception_lab::{Java, Running};
use reception_tests::PATIENCE;

use crate::{BASE, SESSION};

/// Compiled once in a run.
static PROGRAM: LazyLock<Java> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("java/Curator.java");
    let classes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("curator");
    Java::compile(&source, &classes).unwrap_or_else(|error| panic!("{error}"))
});

/// A process with one Curator client; killed when dropped.
pub(crate) struct Curator {
    running: Running,
    /// What happened and was not asked for yet.
    events: VecDeque<String>,
}

impl Curator {
    /// Starts the process and waits until it is connected.
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let session = SESSION.as_millis().to_string();
        let running = PROGRAM.start("Curator", &[&server.to_string(), &session]).expect("java starts");
        let mut curator = Self { running, events: VecDeque::new() };
        assert_eq!(curator.answer("the start").await, Ok("ready".to_owned()));
        curator
    }

    /// Starts the process and its service discovery with this payload.
    pub(crate) async fn discovery(server: SocketAddr, payload: &str) -> Self {
        let mut curator = Self::start(server).await;
        curator.tell(&["discovery", BASE, payload]).await;
        curator
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Kills the process (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.running.kill();
    }

    /// Gives a command and waits for its answer.
    pub(crate) async fn ask(&mut self, words: &[&str]) -> Result<String, String> {
        self.running.say(&words.join("\t")).expect("it listens");
        self.answer(words[0]).await
    }

    /// Gives a command that must work.
    pub(crate) async fn tell(&mut self, words: &[&str]) -> String {
        self.ask(words).await.unwrap_or_else(|wrong| panic!("{words:?}: {wrong}"))
    }

    /// Waits for what must happen; passes over what happens before.
    pub(crate) async fn event(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            while let Some(event) = self.events.pop_front() {
                if wanted(&event) {
                    return event;
                }
            }
            let line = self.line(what).await;
            match line.strip_prefix("* ") {
                Some(event) => self.events.push_back(event.to_owned()),
                None => panic!("an answer to nothing: {line}"),
            }
        }
    }

    async fn answer(&mut self, what: &str) -> Result<String, String> {
        loop {
            let line = self.line(what).await;
            match line.split_at_checked(2) {
                Some(("= ", answer)) => return Ok(answer.to_owned()),
                Some(("! ", wrong)) => return Err(wrong.to_owned()),
                Some(("* ", event)) => self.events.push_back(event.to_owned()),
                _ => panic!("{line:?} is no answer"),
            }
        }
    }

    async fn line(&mut self, what: &str) -> String {
        match self.running.line(PATIENCE).await {
            Ok(line) => line,
            Err(error) => {
                panic!("{what}: {error}; events: {:?}\n{}", self.events, self.running.stderr())
            }
        }
    }
}
