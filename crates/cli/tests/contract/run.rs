//! One process of `reception`: its lines, its signals, its end.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

use crate::process::{Signal, send};

/// The longest that anything may take: a machine that builds beside us is slow.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// More lines than any case prints unread.
const LINES: usize = 4_096;
/// How many of the last lines a failed case shows.
const SHOWN: usize = 30;

/// A process that runs, or has ended; killed when dropped.
pub(crate) struct Run {
    child: Child,
    pid: u32,
    shown: String,
    json: bool,
    out: mpsc::Receiver<String>,
    seen: Vec<String>,
    err: Arc<Mutex<String>>,
    /// Ends with the error output.
    told: JoinHandle<()>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; minus the signal when one ended it.
    pub(crate) code: i32,
    /// What was on stdout and not read before, as lines.
    pub(crate) out: Vec<String>,
    pub(crate) err: String,
}

impl Ended {
    /// The lines as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.iter().map(|line| parsed(line)).collect()
    }

    /// The one line that begins with `error: `.
    pub(crate) fn error(&self) -> &str {
        let errors: Vec<_> = self.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "one line that begins with error: in {self:?}");
        errors[0]
    }

    /// Ended with this code, nothing more on stdout, and no error.
    pub(crate) fn quietly(&self, code: i32) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.out.is_empty(), "nothing more on stdout: {self:?}");
        assert!(!self.err.contains("error: "), "no error: {self:?}");
    }

    /// Ended with this code and one error that holds these words, with nothing more on stdout.
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.out.is_empty(), "nothing more on stdout: {self:?}");
        for word in words {
            assert!(self.error().contains(word), "{word:?} in the error of {self:?}");
        }
    }
}

fn parsed(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|wrong| panic!("{line:?}: {wrong}"));
    assert!(value.is_object(), "each line is an object: {line}");
    value
}

impl Run {
    pub(crate) fn start(mut command: Command, json: bool) -> Self {
        let shown = format!("{:?}", command.as_std());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("a process");
        let pid = child.id().expect("a process that runs");
        let (lines, out) = mpsc::channel(LINES);
        if let Some(stdout) = child.stdout.take() {
            drop(spawn(read_lines(stdout, lines)));
        }
        let err = Arc::<Mutex<String>>::default();
        let stderr = child.stderr.take().expect("a pipe");
        let told = spawn(read_text(stderr, Arc::clone(&err)));
        Self { child, pid, shown, json, out, seen: Vec::new(), err, told }
    }

    /// Its words ask for JSON.
    pub(crate) fn json(mut self) -> Self {
        self.json = true;
        self
    }

    /// The next line as it is; None at the end of the output.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let line = timeout(LIMIT, self.out.recv()).await.expect("a line in time");
        self.seen.extend(line.clone());
        line
    }

    /// The next line as JSON.
    pub(crate) async fn next(&mut self) -> Value {
        assert!(self.json, "it was asked for JSON");
        parsed(&self.line().await.expect("one more line"))
    }

    /// The next line, which is this event.
    pub(crate) async fn event(&mut self, event: &str) -> Value {
        let value = self.next().await;
        assert_eq!(value["event"], event, "{value}");
        value
    }

    /// The first of the next lines that is this event.
    pub(crate) async fn until(&mut self, event: &str) -> Value {
        self.until_that(|value| value["event"] == event).await
    }

    /// The first of the next lines that is so.
    pub(crate) async fn until_that(&mut self, is_so: impl Fn(&Value) -> bool) -> Value {
        loop {
            let value = self.next().await;
            if is_so(&value) {
                return value;
            }
        }
    }

    /// The lines that are there by now.
    pub(crate) fn arrived(&mut self) -> Vec<String> {
        let lines: Vec<_> = std::iter::from_fn(|| self.out.try_recv().ok()).collect();
        self.seen.extend(lines.iter().cloned());
        lines
    }

    pub(crate) fn err(&self) -> String {
        self.err.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid, signal);
    }

    /// Kills it at once; dead and reaped on return.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("a process that can be killed");
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// Waits for its end and the end of its output.
    pub(crate) async fn end(mut self) -> Ended {
        let status = timeout(LIMIT, self.child.wait()).await.expect("the end of a process in time");
        let status = status.expect("a child of ours");
        let mut out = Vec::new();
        while let Some(line) = self.line().await {
            out.push(line);
        }
        timeout(LIMIT, &mut self.told).await.expect("the end of the errors in time").expect("a reader");
        Ended { code: code(status), out, err: self.err() }
    }

    /// Asks it to stop once this is its next event, and waits for its end.
    pub(crate) async fn stop_after(mut self, event: &str) -> Ended {
        self.event(event).await;
        self.stop().await
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) async fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.end().await
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| -status.signal().unwrap_or_default())
}

impl Drop for Run {
    #[expect(clippy::print_stderr, reason = "the test runner attaches it to the failing test")]
    fn drop(&mut self) {
        if thread::panicking() {
            let unread = self.arrived().len();
            let last = self.seen.iter().rev().take(SHOWN).rev().map(String::as_str);
            let last = last.collect::<Vec<_>>().join("\n");
            eprintln!("{}\nprinted ({unread} unread):\n{last}\nand said:\n{}", self.shown, self.err());
        }
    }
}

async fn read_lines(stdout: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut stdout = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = stdout.next_line().await {
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

async fn read_text(mut stderr: impl AsyncRead + Unpin, text: Arc<Mutex<String>>) {
    let mut part = [0; 4_096];
    while let Ok(count @ 1..) = stderr.read(&mut part).await {
        let read = String::from_utf8_lossy(&part[..count]);
        text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&read);
    }
}

#[expect(clippy::disallowed_methods, reason = "tests stand outside the kit and its supervisor")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}
