//! The way to the store: one session per client, made when it is first needed and made anew when it is lost.
//!
//! A request is sent only while the link stands, and each has a deadline. What was sent before a break may have been carried out: reads are
//! made again here, writes are read back by who wrote.

mod eye;
mod folders;
mod gate;
mod keeper;
mod link;
mod proof;
mod seeking;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reception_core::{Clock, Error, ErrorKind, Moment, Result};
use reception_kit::{CancellationToken, Lifeline, Supervisor, Wanted};
use tokio::sync::{oneshot, watch};
use zookeeper_client as zk;

pub(crate) use eye::{Eye, Seen};
pub(crate) use gate::Gate;
pub(crate) use link::{Link, Live};

use crate::{
    ensemble::{Finding, Found},
    error::{NAME, error, is_unclear, native, passes},
    layout::Paths,
    register::Rosters,
};

const PAUSE: Duration = Duration::from_millis(50);
/// How many ended sessions are remembered.
const PAST: usize = 64;

/// How a session is come by.
pub(crate) enum Recipe {
    Dial {
        connector: Box<zk::Connector>,
        hosts: Hosts,
        tls: bool,
        /// Whether everything is made for its creator alone.
        owned: bool,
    },
    Given(zk::Client),
}

/// Where sessions are opened.
pub(crate) enum Hosts {
    /// The connect string.
    Fixed(String),
    Found(Found),
}

impl Recipe {
    pub(crate) fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }
}

/// What the parts of one client share.
pub(crate) struct Session {
    pub(crate) paths: Paths,
    pub(crate) supervisor: Supervisor,
    pub(crate) clock: Clock,
    pub(crate) timeout: Duration,
    /// The time to live that was asked for; the granted one counts.
    pub(crate) ttl: Duration,
    pub(crate) wanted: Wanted,
    pub(crate) rosters: Rosters,
    /// The token domain as it was read in the session of this id.
    domain: Mutex<Option<(i64, [u8; 16])>>,
    pub(crate) link: watch::Sender<Link>,
    recipe: Recipe,
    /// Runs the library's tasks, which outlive all others.
    back: Supervisor,
    /// Taken by the keeper when it starts.
    lifeline: Mutex<Option<Lifeline>>,
    leaving: CancellationToken,
    /// The ended sessions of this client: what stands on them is ours.
    past: Mutex<VecDeque<i64>>,
    granted: Mutex<Option<Duration>>,
    /// Warned of once, by the first that makes something: who only reads leaves nothing open.
    open: Once,
    /// What finds the servers, taken when the keeper starts.
    finding: Mutex<Option<Finding>>,
    /// The last turn of the link by which an answer came.
    heard: Arc<AtomicU64>,
}

impl Session {
    pub(crate) fn new(
        paths: Paths,
        supervisors: (Supervisor, Supervisor),
        clock: Clock,
        (timeout, ttl): (Duration, Duration),
        recipe: Recipe,
        finding: Option<Finding>,
    ) -> Arc<Self> {
        let (supervisor, back) = supervisors;
        Arc::new(Self {
            paths,
            supervisor,
            clock,
            timeout,
            ttl,
            wanted: Wanted::default(),
            rosters: Rosters::default(),
            domain: Mutex::default(),
            link: watch::Sender::new(Link::Down(None)),
            recipe,
            lifeline: Mutex::new(Some(back.lifeline())),
            back,
            leaving: CancellationToken::new(),
            past: Mutex::default(),
            granted: Mutex::default(),
            open: Once::new(),
            finding: Mutex::new(finding),
            heard: Arc::default(),
        })
    }

    /// Starts the keeper of the session, once.
    fn start(self: &Arc<Self>) {
        let taken = self.lifeline.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(lifeline) = taken else { return };
        self.back.spawn("session keeper", keeper::keep(Arc::clone(self), lifeline));
        if let Some(finding) = self.finding.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let over = self.back.closing();
            self.back.spawn("server finder", async move {
                tokio::select! {
                    biased;
                    () = over.cancelled() => {}
                    () = finding => {}
                }
            });
        }
        let session = Arc::clone(self);
        // When all that use the session have ended, it ends.
        self.back.spawn("session end", async move {
            session.supervisor.closing().cancelled().await;
            session.supervisor.close().await;
            session.leaving.cancel();
        });
    }

    fn past(&self) -> MutexGuard<'_, VecDeque<i64>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that this session is over; the oldest have long expired.
    fn ended(&self, id: i64) {
        let mut past = self.past();
        past.push_back(id);
        if past.len() > PAST {
            past.pop_front();
        }
    }

    /// Whether an ended session of this client has this id.
    pub(crate) fn was_ours(&self, id: i64) -> bool {
        self.past().contains(&id)
    }

    /// The access rights of everything that is made.
    pub(crate) fn acls(&self) -> zk::Acls<'static> {
        match &self.recipe {
            Recipe::Dial { owned: true, .. } => return zk::Acls::creator_all(),
            Recipe::Dial { .. } => self.open.call_once(|| {
                tracing::warn!(
                    backend = NAME,
                    "no user is given: whoever reaches the store may change and remove what this client makes"
                );
            }),
            // Its rights are the business of who gave it.
            Recipe::Given(_) => {}
        }
        zk::Acls::anyone_all()
    }

    /// Whether closing the client ends the session, and so removes all that stands on it.
    pub(crate) fn ends_with_client(&self) -> bool {
        !self.recipe.is_given()
    }

    /// Who was tried, in words.
    pub(crate) fn tried(&self) -> String {
        match &self.recipe {
            Recipe::Dial { hosts: Hosts::Fixed(hosts), .. } => hosts.clone(),
            Recipe::Dial { hosts: Hosts::Found(Found { known, asked }), .. } => {
                let servers = known.borrow().servers.clone();
                let servers = servers.iter().map(String::as_str).collect::<Vec<_>>();
                if servers.is_empty() { asked.clone() } else { servers.join(",") }
            }
            Recipe::Given(_) => "the hosts of the given client".to_owned(),
        }
    }

    /// The domain, if it was read in this session.
    pub(crate) fn known_domain(&self, id: i64) -> Option<[u8; 16]> {
        let known = *self.domain.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|(session, _)| *session == id).map(|(_, domain)| domain)
    }

    pub(crate) fn note_domain(&self, id: i64, domain: [u8; 16]) {
        *self.domain.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, domain));
    }

    /// The time to live that the server granted last.
    pub(crate) fn last_grant(&self) -> Option<Duration> {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_grant(&self, ttl: Duration) {
        *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = Some(ttl);
    }

    /// A little less than the timeout, so that the answer tells who was asked before anybody else cuts the call.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout * 9 / 10
    }

    pub(crate) fn until(&self) -> Moment {
        self.clock.now().saturating_add(self.patience())
    }

    /// What is left until then; an error when nothing is.
    pub(crate) fn left(&self, operation: &'static str, until: Moment) -> Result<Duration> {
        let left = until.saturating_since(self.clock.now());
        if left.is_zero() { Err(self.unanswered(operation)) } else { Ok(left) }
    }

    pub(crate) fn unanswered(&self, operation: &'static str) -> Error {
        let text = format!("no server answered in time; tried {}", self.tried());
        let cause = match &*self.link.borrow() {
            Link::Down(Some(error)) | Link::Doubtful(_, error) => Some(error.clone()),
            _ => None,
        };
        let error = error(ErrorKind::Unavailable, operation, text);
        match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }

    /// The session, as soon as its link stands.
    pub(crate) async fn live(self: &Arc<Self>, operation: &'static str, until: Moment) -> Result<Live> {
        self.start();
        let mut link = self.link.subscribe();
        let limit = self.left(operation, until)?;
        let found = tokio::time::timeout(limit, async {
            loop {
                match &*link.borrow_and_update() {
                    Link::Up(live) => return Ok(live.clone()),
                    Link::Down(Some(error)) if !passes(error) => return Err(error.clone()),
                    Link::Leaving | Link::Over(_) => return Err(self.supervisor.closed(operation)),
                    Link::Down(_) | Link::Doubtful(..) => {}
                }
                if link.changed().await.is_err() {
                    return Err(self.supervisor.closed(operation));
                }
            }
        });
        let live = found.await.map_err(|_| self.unanswered(operation))??;
        self.note_grant(live.ttl);
        Ok(live)
    }

    /// Sends one request on this session and waits for its answer.
    pub(crate) async fn send<T, F>(
        &self,
        operation: &'static str,
        until: Moment,
        answer: F,
    ) -> Result<Result<T, zk::Error>>
    where
        F: Future<Output = Result<T, zk::Error>> + Send,
    {
        let left = self.left(operation, until)?;
        let turn = match &*self.link.borrow() {
            Link::Up(live) => live.turn,
            _ => 0,
        };
        let answered = tokio::time::timeout(left, answer).await.map_err(|_| self.unanswered(operation))?;
        if !answered.as_ref().is_err_and(is_unclear) {
            self.heard.fetch_max(turn, Ordering::AcqRel);
        }
        Ok(answered)
    }

    /// Reads, again after each break until there is an answer.
    pub(crate) async fn read<T, F>(
        self: &Arc<Self>,
        operation: &'static str,
        until: Moment,
        what: &str,
        work: impl Fn(zk::Client) -> F + Send + Sync,
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T, zk::Error>> + Send,
    {
        loop {
            let live = self.live(operation, until).await?;
            match self.send(operation, until, work(live.client)).await? {
                Ok(answer) => return Ok(answer),
                Err(wrong) if is_unclear(&wrong) => tokio::time::sleep(PAUSE).await,
                Err(wrong) => return Err(native(operation, what, wrong)),
            }
        }
    }

    /// Runs a user's call in a task of its own, which ends with the client.
    ///
    /// A future that its user holds and does not poll would else hold a handle of the session, which then could not be ended.
    pub(crate) async fn serve<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.supervisor.check(operation)?;
        let (mut answer, answered) = oneshot::channel();
        let closing = self.supervisor.closing();
        self.supervisor.spawn(operation, async move {
            tokio::select! {
                biased;
                outcome = work => drop(answer.send(outcome)),
                () = closing.cancelled() => {}
                () = answer.closed() => {}
            }
        });
        answered.await.unwrap_or_else(|_| Err(self.supervisor.closed(operation)))
    }

    /// Ends the session at once and with it all that stands on it; only for a client that closes.
    pub(crate) async fn end(&self) -> Result<()> {
        if self.lifeline.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        self.leaving.cancel();
        let mut link = self.link.subscribe();
        let over = link.wait_for(|link| matches!(link, Link::Over(_)));
        // The keeper takes less; nobody waits for ever for one that is gone.
        let over = tokio::time::timeout(self.timeout * 2, over).await;
        let outcome = over.ok().and_then(Result::ok).and_then(|link| match &*link {
            Link::Over(outcome) => Some(outcome.clone()),
            _ => None,
        });
        outcome.unwrap_or_else(|| Err(error(ErrorKind::Timeout, "close", "nobody ended the session")))
    }

    /// Ends every task, each of which withdraws what it holds, and then the session.
    pub(crate) async fn close(&self) -> Result<()> {
        self.supervisor.close().await;
        let ended = self.end().await;
        self.back.close().await;
        ended
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("base", &self.paths.base())
            .field("link", &*self.link.borrow())
            .finish_non_exhaustive()
    }
}
