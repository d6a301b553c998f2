//! Whether the store still answers, for those who wait long for it: a silent connection is not noticed by waiting.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reception_core::{Error, ErrorKind, Result};
use reception_kit::CancellationToken;
use tokio::sync::{Notify, watch};

use super::Session;
use crate::{
    error::error,
    http::{Answer, Call, Path},
};

const OPERATION: &str = "watch";
/// The pause between two questions, while anybody waits.
const EVERY: Duration = Duration::from_secs(3);
/// How long a question may stay unanswered.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer without news that comes sooner than this was not held back.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long an agent holds a question back when nothing changes.
/// A question that nobody waits for any more stays with the agent until then.
const WAIT: Duration = Duration::from_secs(15);

/// Asks for all who wait.
#[derive(Debug)]
pub(crate) struct Lookout {
    waiting: AtomicUsize,
    running: AtomicBool,
    /// Nobody waits any more.
    idle: Notify,
    /// One for each agent.
    desks: Vec<Desk>,
}

/// Those who wait for one agent.
#[derive(Debug)]
struct Desk {
    waiting: AtomicUsize,
    /// The last failure.
    failed: watch::Sender<Option<Error>>,
}

/// One who waits.
struct Waiting<'a>(&'a Lookout, &'a Desk);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.1.waiting.fetch_sub(1, Ordering::AcqRel);
        if self.0.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_one();
        }
    }
}

impl Lookout {
    /// For so many agents.
    pub(super) fn new(agents: usize) -> Self {
        let desk = || Desk { waiting: AtomicUsize::new(0), failed: watch::channel(None).0 };
        Self {
            waiting: AtomicUsize::new(0),
            running: AtomicBool::new(false),
            idle: Notify::new(),
            desks: std::iter::repeat_with(desk).take(agents).collect(),
        }
    }

    fn wait(&self, at: usize) -> Option<(Waiting<'_>, watch::Receiver<Option<Error>>)> {
        let desk = self.desks.get(at)?;
        desk.waiting.fetch_add(1, Ordering::AcqRel);
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let mut failed = desk.failed.subscribe();
        failed.mark_unchanged();
        Some((Waiting(self, desk), failed))
    }

    /// Whether nobody waits any more, and so nobody is to ask.
    fn rests(&self) -> bool {
        if self.waiting.load(Ordering::Acquire) > 0 {
            return false;
        }
        self.running.store(false, Ordering::Release);
        // One that came in between finds it running no more, or is seen here.
        self.waiting.load(Ordering::Acquire) == 0 || self.running.swap(true, Ordering::AcqRel)
    }
}

impl Session {
    /// Asks, and takes its time over an answer that tells nothing new and was not held back: asked again at once it would come at once.
    async fn held(&self, at: usize, call: &Call, limit: Duration, index: u64) -> Result<Answer> {
        let asked = tokio::time::Instant::now();
        let answer = self.http.send_to(at, call, limit).await?;
        if answer.index == index && asked.elapsed() < AT_ONCE {
            tokio::time::sleep(AT_ONCE).await;
        }
        Ok(answer)
    }

    /// Asks a question that the agent holds back until the index has passed. Ends with an error as soon as the store is known not to answer.
    pub(crate) async fn wait_for(
        self: &Arc<Self>,
        operation: &'static str,
        path: Path,
        index: u64,
    ) -> Result<Answer> {
        if index == 0 {
            // A server that has just become the leader may tell of an older state to who does not insist.
            let call = Call::get(operation, path.flag("consistent"));
            return self.http.send(&call, self.timeout()).await;
        }
        let path = path.with("index", &index.to_string()).with("wait", &format!("{}s", WAIT.as_secs()));
        let at = self.http.nearest();
        let Some((_waiting, mut failed)) = self.lookout.wait(at) else {
            return Err(self.supervisor.closed(operation));
        };
        if !self.lookout.running.swap(true, Ordering::AcqRel) {
            self.supervisor.spawn("lookout", look_out(Arc::downgrade(self), self.supervisor.closing()));
        }
        let call = Call::get(operation, path).held();
        // An agent spreads its answers by up to a sixteenth.
        let limit = WAIT + WAIT / 16 + self.timeout();
        tokio::select! {
            answer = self.held(at, &call, limit, index) => answer,
            changed = failed.changed() => {
                let error = failed.borrow().clone();
                match (changed, error) {
                    (Ok(()), Some(error)) => Err(error),
                    _ => Err(self.supervisor.closed(operation)),
                }
            }
        }
    }
}

async fn look_out(session: Weak<Session>, closing: CancellationToken) {
    let Some(session) = session.upgrade() else { return };
    let lookout = &session.lookout;
    loop {
        let due = tokio::select! {
            () = closing.cancelled() => return,
            () = lookout.idle.notified() => false,
            () = tokio::time::sleep(EVERY) => true,
        };
        if lookout.rests() {
            return;
        }
        if !due {
            continue;
        }
        tokio::select! {
            () = closing.cancelled() => return,
            () = lookout.idle.notified() => {
                if lookout.rests() {
                    return;
                }
            }
            () = ask(&session) => {}
        }
    }
}

/// Asks every agent that somebody waits for.
async fn ask(session: &Session) {
    let call = Call::get(OPERATION, Path::of("status/leader"));
    let limit = PATIENCE.min(session.timeout());
    let desks = session.lookout.desks.iter().enumerate();
    let waited = desks.filter(|(_, desk)| desk.waiting.load(Ordering::Acquire) > 0);
    let asked = waited.map(|(at, desk)| {
        let call = &call;
        async move {
            let failed = match session.http.send_to(at, call, limit).await {
                // The name of nobody, in quotes.
                Ok(answer) if answer.status.is_success() && answer.body.trim_ascii().len() <= 2 => {
                    error(ErrorKind::Unavailable, OPERATION, "the servers have no leader")
                }
                Ok(_) => return,
                Err(failed) => failed,
            };
            desk.failed.send_replace(Some(failed));
        }
    });
    futures_util::future::join_all(asked).await;
}
