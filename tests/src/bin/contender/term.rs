//! One leadership, sampled on a thread of its own: a runtime that is starved or blocked does not hide what it would say.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use futures_util::FutureExt as _;
use reception::{Error, Tenure};
use reception_lab::{
    FencedWriter, fenced_write,
    history::{Event, Token, boot_ns},
};
use rustix::process::{Signal, getpid, kill_process};
use tokio::runtime::{Builder, Runtime};

use crate::{Outcome, arguments::Arguments, journal::Journal};

/// How often it asks whether it leads.
const SAMPLE: Duration = Duration::from_millis(5);

/// How long a busy machine may take to stop a process; less than it stands still, so it costs no time.
const STOPPING: Duration = Duration::from_millis(500);

/// How long the fenced store may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// What a leader of this process writes, over all its leaderships.
#[derive(Debug)]
pub(crate) struct Writing {
    fence: Option<SocketAddr>,
    every: Duration,
    stop_before: Option<u64>,
    begun: AtomicU64,
}

impl Writing {
    pub(crate) fn new(arguments: &Arguments) -> Arc<Self> {
        Arc::new(Self {
            fence: arguments.fence,
            every: arguments.write_every,
            stop_before: arguments.stop_before_write,
            begun: AtomicU64::new(0),
        })
    }

    /// Stops the whole process when the write that comes next is the one to stop before.
    fn stop_if_due(&self, token: &Token, journal: &Journal) {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        if self.stop_before == Some(number) {
            journal.say_of(token, Event::Stopped, &[]);
            let _ = kill_process(getpid(), Signal::STOP);
            // Another thread may take the signal, and later: it is in force before this one goes on.
            thread::sleep(STOPPING);
        }
    }

    /// Writes with the token of a leadership that is over: a fence that has seen a later one refuses it.
    pub(crate) async fn after_loss(&self, token: &Token, journal: &Journal) {
        if let Some(fence) = self.fence
            && let Err(error) = fenced_write(fence, token, ANSWER).await
        {
            journal.say_of(token, Event::Note, &[("write", &error.to_string())]);
        }
    }
}

/// The sampling of one leadership.
#[derive(Debug)]
pub(crate) struct Term {
    shared: Arc<Shared>,
    sampler: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    tenure: Tenure,
    token: Token,
    journal: Journal,
    writing: Arc<Writing>,
    over: AtomicBool,
    lost: AtomicBool,
}

impl Term {
    pub(crate) fn begin(
        tenure: Tenure,
        token: Token,
        journal: Journal,
        writing: Arc<Writing>,
    ) -> Outcome<Self> {
        let (over, lost) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Arc::new(Shared { tenure, token, journal, writing, over, lost });
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let sampled = Arc::clone(&shared);
        let sampler = thread::Builder::new().name("sampler".to_owned());
        let sampler = sampler.spawn(move || sampled.sample(&runtime))?;
        Ok(Self { shared, sampler: Some(sampler) })
    }

    /// Writes down the loss, unless the sampler has.
    pub(crate) fn lost(&self, cause: &Error) {
        self.shared.tell_loss(Some(cause));
    }

    /// Ends the sampling: no claim is made after this. Blocks for a moment.
    pub(crate) fn end(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        if let Some(sampler) = self.sampler.take() {
            drop(sampler.join());
        }
    }
}

impl Shared {
    fn sample(&self, runtime: &Runtime) {
        let mut writer = self.writing.fence.map(FencedWriter::new);
        let mut due = boot_ns();
        while !self.over.load(Ordering::SeqCst) {
            let asked = boot_ns();
            if self.tenure.is_held() {
                self.journal.say_at(asked, &self.token, Event::Claim);
                if let Some(writer) = writer.as_mut().filter(|_| asked >= due) {
                    due = asked.saturating_add(nanos(self.writing.every));
                    self.write(runtime, writer);
                }
            } else {
                self.tell_loss(None);
            }
            thread::sleep(SAMPLE);
        }
    }

    /// Asks, may be stopped, and writes: what every leader does, and why there is a fence.
    fn write(&self, runtime: &Runtime, writer: &mut FencedWriter) {
        if !self.tenure.is_held() {
            return;
        }
        self.writing.stop_if_due(&self.token, &self.journal);
        if let Err(error) = runtime.block_on(writer.write(&self.token, ANSWER)) {
            self.journal.say_of(&self.token, Event::Note, &[("write", &error.to_string())]);
        }
    }

    fn tell_loss(&self, cause: Option<&Error>) {
        if self.lost.swap(true, Ordering::SeqCst) {
            return;
        }
        let latched = self.tenure.lost().now_or_never();
        let why =
            cause.or(latched.as_ref()).map_or("unknown".to_owned(), |error| format!("{:?}", error.kind()));
        self.journal.say_of(&self.token, Event::Lost, &[("why", &why)]);
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
