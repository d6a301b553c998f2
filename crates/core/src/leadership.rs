//! A leadership: the half that the leader holds, the half that its backend holds, and the view for other tasks.
//!
//! The deadline is compared with the clock whenever somebody looks, so that no task needs to run for `is_held` to turn false; and what
//! was once false is latched, so that it never turns true again (law L11).

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::sync::{oneshot, watch};

use crate::{
    clock::{Clock, Moment},
    error::{CORE, Error, ErrorKind, Result},
    registration::Reply,
    service::Service,
    token::FencingToken,
};

/// What all halves share.
struct Held {
    candidate: Service,
    token: FencingToken,
    clock: Clock,
    term: watch::Sender<Term>,
}

struct Term {
    until: Moment,
    lost: Option<Error>,
}

impl Held {
    /// Looks at the clock, latches a loss that is due and tells whether there is one.
    fn look(&self) -> Option<Error> {
        let now = self.clock.now();
        {
            let term = self.term.borrow();
            if term.lost.is_some() || now < term.until {
                return term.lost.clone();
            }
        }
        self.change(now, |_| ())
    }

    /// Changes the term unless it is over at `now`; tells the loss, if there is one.
    fn change(&self, now: Moment, change: impl FnOnce(&mut Term)) -> Option<Error> {
        let mut lost = None;
        self.term.send_if_modified(|term| {
            let open = term.lost.is_none();
            if open && now >= term.until {
                term.lost = Some(Error::new(ErrorKind::LeaseLost, CORE, "lead", "the deadline has passed"));
            } else if open {
                change(term);
            }
            lost.clone_from(&term.lost);
            open && lost.is_some()
        });
        lost
    }

    fn lose(&self, cause: Error) {
        self.term.send_if_modified(|term| {
            let open = term.lost.is_none();
            if open {
                term.lost = Some(cause);
            }
            open
        });
    }

    fn remaining(&self) -> Duration {
        if self.look().is_some() {
            return Duration::ZERO;
        }
        self.term.borrow().until.saturating_since(self.clock.now())
    }
}

/// Resolves once the leadership is lost; looks at the clock at each poll.
fn lost(held: Arc<Held>) -> impl Future<Output = Error> + Send + use<> {
    let mut term = held.term.subscribe();
    let mut latched = Box::pin(async move {
        // The sender lives in `held`, so the channel cannot close while this waits.
        let _ = term.wait_for(|term| term.lost.is_some()).await;
    });
    poll_fn(move |cx| match held.look() {
        Some(cause) => Poll::Ready(cause),
        None => latched.as_mut().poll(cx).map(|()| {
            let cause = held.term.borrow().lost.clone();
            cause.unwrap_or_else(|| Error::new(ErrorKind::Internal, CORE, "lead", "the loss has no cause"))
        }),
    })
}

/// A won election: whoever holds this leads until [`is_held`](Leadership::is_held) turns false.
///
/// It is not `Clone`; a [`Tenure`] is the view for other tasks. Dropping it resigns without waiting. At most one holder passes a
/// [`Fence`](crate::Fence): send the [`token`](Leadership::token) with every write.
#[must_use = "dropping a leadership resigns"]
pub struct Leadership {
    held: Arc<Held>,
    release: Option<oneshot::Sender<Release>>,
}

/// The backend's half of a [`Leadership`]. Dropping it loses the leadership with Closed.
pub struct LeadershipControl {
    held: Arc<Held>,
    release: Option<oneshot::Receiver<Release>>,
}

/// How a leader gave up.
#[derive(Debug)]
#[non_exhaustive]
pub enum Release {
    /// It resigned and waits for the answer.
    Resigned(Reply),
    /// It was dropped; nobody waits.
    Dropped,
}

impl Leadership {
    /// Makes both halves of a leadership that lasts until `until` unless extended.
    pub fn pair(
        candidate: Service,
        token: FencingToken,
        clock: Clock,
        until: Moment,
    ) -> (Self, LeadershipControl) {
        let term = watch::Sender::new(Term { until, lost: None });
        let held = Arc::new(Held { candidate, token, clock, term });
        let (sender, receiver) = oneshot::channel();
        let guard = Self { held: Arc::clone(&held), release: Some(sender) };
        (guard, LeadershipControl { held, release: Some(receiver) })
    }

    /// The fencing token of this leadership.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.held.token
    }

    /// Whether it is still held, by the clock now; once false, false for ever (law L11).
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.look().is_none()
    }

    /// The span to the deadline as it is known now; zero once lost, `Duration::MAX` without a deadline.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.held.remaining()
    }

    /// What the candidate said of itself.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.held.candidate
    }

    /// Resolves with the cause once the leadership is lost or given up. Many may wait.
    ///
    /// # Cancel safety
    /// The loss is latched: a future made later resolves at its first poll.
    pub fn lost(&self) -> impl Future<Output = Error> + Send + use<> {
        lost(Arc::clone(&self.held))
    }

    /// A view for other tasks.
    #[must_use]
    pub fn tenure(&self) -> Tenure {
        Tenure(Arc::clone(&self.held))
    }

    /// Runs `work` while the leadership is held, and drops it at the loss.
    ///
    /// Only work that yields can be dropped: before each write ask [`is_held`](Leadership::is_held) and send the token.
    ///
    /// # Errors
    /// The cause of the loss, when it comes before the end of the work.
    ///
    /// # Cancel safety
    /// Dropping the future drops the work; the leadership goes on.
    pub async fn run<W>(&self, work: W) -> Result<W::Output>
    where
        W: Future + Send,
        W::Output: Send,
    {
        let (mut work, mut lost) = (pin!(work), pin!(self.lost()));
        poll_fn(|cx| match lost.as_mut().poll(cx) {
            Poll::Ready(cause) => Poll::Ready(Err(cause)),
            Poll::Pending => work.as_mut().poll(cx).map(Ok),
        })
        .await
    }

    /// Gives the leadership up. It is not held from the first poll on, before any rival can win; Ok means that the store has forgotten the
    /// candidate. Stop the work first: [`run`](Leadership::run) has returned.
    ///
    /// # Errors
    /// What the store answered; the candidate is then forgotten when its lease ends.
    ///
    /// # Cancel safety
    /// Dropping the future is dropping the leadership: it is given up all the same.
    pub async fn resign(mut self) -> Result<()> {
        let was_over = self.held.look().is_some();
        self.held.lose(Error::new(ErrorKind::Closed, CORE, "resign", "resigned"));
        let (reply, answer) = Reply::pair();
        let Some(release) = self.release.take() else { return Ok(()) };
        let sent = release.send(Release::Resigned(reply)).is_ok();
        match answer.await {
            Ok(outcome) => outcome,
            // The backend had let go of it already, after a loss or at the client's close, and withdraws by itself.
            Err(_) if was_over || !sent => Ok(()),
            Err(_) => Err(Error::new(ErrorKind::Closed, CORE, "resign", "the client was closed meanwhile")),
        }
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.held.lose(Error::new(ErrorKind::Closed, CORE, "lead", "the leadership was dropped"));
    }
}

impl LeadershipControl {
    /// Moves the deadline to `sent + ttl - margin`, where `sent` is the moment before the acknowledged renewal was sent. A deadline never moves
    /// back.
    ///
    /// False means too late: the loss is latched.
    #[must_use]
    pub fn extend(&self, sent: Moment, ttl: Duration, margin: Duration) -> bool {
        let until = sent.saturating_add(ttl).saturating_sub(margin);
        self.held.change(self.held.clock.now(), |term| term.until = term.until.max(until)).is_none()
    }

    /// A view; a backend arms its timer at [`remaining`](Tenure::remaining).
    #[must_use]
    pub fn tenure(&self) -> Tenure {
        Tenure(Arc::clone(&self.held))
    }

    /// Ends the leadership: state first, then the notice. The first cause stays.
    pub fn lose(&self, cause: Error) {
        self.held.lose(cause);
    }

    /// Resolves when the leader gave up; `Dropped` when asked again.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn released(&mut self) -> Release {
        let Some(release) = self.release.as_mut() else { return Release::Dropped };
        let outcome = release.await.unwrap_or(Release::Dropped);
        self.release = None;
        outcome
    }
}

impl Drop for LeadershipControl {
    fn drop(&mut self) {
        self.held.lose(Error::new(ErrorKind::Closed, CORE, "lead", "the client was closed"));
    }
}

/// A view of a leadership for other tasks.
#[derive(Clone)]
pub struct Tenure(Arc<Held>);

impl Tenure {
    /// The fencing token.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.0.token
    }

    /// As [`Leadership::is_held`].
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.look().is_none()
    }

    /// As [`Leadership::remaining`].
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.remaining()
    }

    /// What the candidate said of itself.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.0.candidate
    }

    /// As [`Leadership::lost`].
    ///
    /// # Cancel safety
    /// The loss is latched: a future made later resolves at its first poll.
    pub fn lost(&self) -> impl Future<Output = Error> + Send + use<> {
        lost(Arc::clone(&self.0))
    }
}

macro_rules! debug {
    ($type:ident, $field:tt) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let held = &self.$field;
                f.debug_struct(stringify!($type))
                    .field("service", &held.candidate)
                    .field("token", &held.token)
                    .field("lost", &held.look())
                    .finish()
            }
        }
    };
}
debug!(Leadership, held);
debug!(LeadershipControl, held);
debug!(Tenure, 0);
