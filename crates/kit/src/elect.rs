//! One candidacy: the task that stands, leads and releases.
//!
//! The win travels as the [`Leadership`] guard itself. Whoever drops the future drops the guard that
//! may wait in its channel, and the guard's Drop gives the win back (law L12).

use std::time::Duration;

use reception_core::{Error, ErrorKind, Leadership, LeadershipControl, Moment, Release, Result, Service};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    claim::{Claim, Pulse, Standing, Won},
    contest::Entry,
    deadline::{sleep_until, within},
    signal,
    supervise::{Lifeline, Supervisor, closed},
};

const OPERATION: &str = "elect";

/// Stands until it leads, and keeps the leadership until it is lost, resigned or dropped.
///
/// # Errors
///
/// Canceled through the entry; any error of the claim but Unavailable, Timeout and LeaseLost, which
/// are tried again. Closed and NoRuntime as [`Supervisor::check`].
///
/// # Cancel safety
///
/// A future that is dropped at any poll, also after the win was granted, withdraws the candidate.
pub async fn elect<C: Claim>(
    supervisor: &Supervisor,
    lifeline: Lifeline,
    candidate: Service,
    claim: C,
    standing: Standing,
    entry: impl Into<Entry> + Send,
) -> Result<Leadership> {
    supervisor.check(OPERATION)?;
    let entry = entry.into();
    let _waiting = entry.waiting();
    let (grant, granted) = oneshot::channel();
    let candidacy = Candidacy {
        signal: signal::Candidacy::new(supervisor.backend(), &standing.election, &candidate),
        backend: supervisor.backend(),
        closing: supervisor.closing(),
        claim,
        standing,
        entry,
        lifeline: Some(lifeline),
    };
    supervisor.spawn(OPERATION, candidacy.run(candidate, grant));
    match granted.await {
        Ok(outcome) => outcome,
        Err(_) => Err(supervisor.closed(OPERATION)),
    }
}

struct Candidacy<C> {
    backend: &'static str,
    closing: CancellationToken,
    claim: C,
    standing: Standing,
    entry: Entry,
    lifeline: Option<Lifeline>,
    signal: signal::Candidacy,
}

type Grant = oneshot::Sender<Result<Leadership>>;

/// Why a leadership ended.
enum Over {
    Closing,
    Lost,
    Released(Release),
}

impl<C: Claim> Candidacy<C> {
    async fn run(mut self, candidate: Service, mut grant: Grant) {
        let won = match self.stand(&mut grant).await {
            Ok(won) => won,
            Err(error) => return self.give_up(error, grant).await,
        };
        let until = self.until(&won);
        let (leadership, control) =
            Leadership::pair(candidate, won.token, self.standing.clock.clone(), until);
        self.signal.won(won.token);
        self.entry.decided(&Ok(()));
        self.entry.leads(control.tenure());
        // If nobody waits any more this drops the guard, which posts its release to the control.
        drop(grant.send(Ok(leadership)));
        self.lead(won.ttl, control).await;
    }

    // ---- standing ----------------------------------------------------------------------------------------------

    async fn stand(&mut self, grant: &mut Grant) -> Result<Won> {
        loop {
            let won = tokio::select! {
                biased;
                error = halt(self.backend, &self.closing, &self.entry, grant) => return Err(error),
                won = self.claim.win() => won,
            };
            let error = match won {
                Ok(won) if self.until(&won) > self.standing.clock.now() => return Ok(won),
                Ok(_) => self.came_late().await,
                Err(error) if passes(&error) => error,
                Err(error) => return Err(error),
            };
            self.signal.failed(&error);
            let at = self.standing.clock.now().saturating_add(self.standing.backoff.next(&error));
            tokio::select! {
                biased;
                error = halt(self.backend, &self.closing, &self.entry, grant) => return Err(error),
                () = sleep_until(&self.standing.clock, at) => {}
            }
        }
    }

    /// The grant took so long that its deadline has passed: stand anew, with a new token.
    async fn came_late(&mut self) -> Error {
        let late =
            Error::new(ErrorKind::LeaseLost, self.backend, OPERATION, "the grant came after its deadline");
        let limit = self.answer_limit();
        self.release(limit).await.err().unwrap_or(late)
    }

    async fn give_up(mut self, error: Error, grant: Grant) {
        let limit = self.answer_limit();
        let outcome = self.release(limit).await;
        self.entry.decided(&outcome);
        drop(grant.send(Err(error)));
        if let Err(error) = outcome {
            self.linger(&error, Moment::NEVER).await;
        }
    }

    // ---- leading -----------------------------------------------------------------------------------------------

    async fn lead(mut self, mut ttl: Duration, mut control: LeadershipControl) {
        let over = self.hold(&mut ttl, &mut control).await;
        self.entry.over();
        self.signal.ended();
        let limit = self.answer_limit();
        let outcome = self.release(limit).await;
        // After the last lease of this candidate has run out there is nothing left to withdraw.
        let limit = self.standing.clock.now().saturating_add(ttl);
        match (over, outcome) {
            (Over::Released(Release::Resigned(reply)), outcome) => {
                reply.send(outcome.clone());
                if let Err(error) = outcome {
                    self.linger(&error, limit).await;
                }
            }
            (Over::Lost, Err(error)) => self.outlast(&error, limit, control).await,
            (Over::Released(_), Err(error)) => self.linger(&error, limit).await,
            (Over::Closing, Err(error)) => self.signal.release_failed(&error),
            (Over::Lost, Ok(())) => answer_late(&mut control).await,
            (_, Ok(())) => {}
        }
    }

    /// Leads until the leader gives up, the loss is known, or the deadline has come.
    async fn hold(&mut self, ttl: &mut Duration, control: &mut LeadershipControl) -> Over {
        let tenure = control.tenure();
        loop {
            let deadline = self.standing.clock.now().saturating_add(tenure.remaining());
            tokio::select! {
                biased;
                () = self.closing.cancelled() => {
                    control.lose(closed(self.backend, OPERATION));
                    return Over::Closing;
                }
                release = control.released() => return Over::Released(release),
                () = sleep_until(&self.standing.clock, deadline) => {
                    if !tenure.is_held() {
                        return ended(control).await;
                    }
                }
                pulse = self.claim.pulse() => match pulse {
                    Pulse::Renewed { sent, ttl: granted } => {
                        *ttl = granted;
                        if !control.extend(sent, granted, self.standing.margin) {
                            return ended(control).await;
                        }
                    }
                    // The keeper of the lease may end between the look at `closing` above and this one.
                    Pulse::Lost(_) if self.closing.is_cancelled() => {
                        control.lose(closed(self.backend, OPERATION));
                        return Over::Closing;
                    }
                    Pulse::Lost(error) => {
                        self.signal.failed(&error);
                        control.lose(error);
                        return Over::Lost;
                    }
                },
            }
        }
    }

    /// Goes on withdrawing a lost candidate while its guard is still held, and answers its resignation.
    async fn outlast(&mut self, error: &Error, limit: Moment, mut control: LeadershipControl) {
        let release = tokio::select! {
            biased;
            release = control.released() => release,
            outcome = self.release(limit) => return self.signal.released(&outcome),
        };
        if let Release::Resigned(reply) = release {
            reply.send(Err(error.clone()));
        }
        self.linger(error, limit).await;
    }

    // ---- releasing ---------------------------------------------------------------------------------------------

    /// Goes on withdrawing without keeping the client open.
    async fn linger(&mut self, error: &Error, limit: Moment) {
        self.signal.release_failed(error);
        self.lifeline = None;
        let outcome = self.release(limit).await;
        self.signal.released(&outcome);
    }

    /// Withdraws, again and again until `limit`; a closing client gives it one more timeout.
    async fn release(&mut self, mut limit: Moment) -> Result<()> {
        let (mut closing, mut last) = (false, None);
        loop {
            if !closing && self.closing.is_cancelled() {
                closing = true;
                limit = limit.min(self.answer_limit());
            }
            let left = limit.saturating_since(self.standing.clock.now()).min(self.standing.timeout);
            let outcome = within(left, self.backend, "resign", self.claim.release()).await;
            let Err(error) = outcome else { return Ok(()) };
            let at = self.standing.clock.now().saturating_add(self.standing.backoff.next(&error));
            // What the store said tells more than that the last try was cut short.
            let cut = left < self.standing.timeout && error.kind() == ErrorKind::Timeout;
            let error = last.filter(|_| cut).unwrap_or(error);
            if at >= limit {
                return Err(error);
            }
            last = Some(error);
            tokio::select! {
                biased;
                () = self.closing.cancelled(), if !closing => {}
                () = sleep_until(&self.standing.clock, at) => {}
            }
        }
    }

    fn answer_limit(&self) -> Moment {
        self.standing.clock.now().saturating_add(self.standing.timeout)
    }

    fn until(&self, won: &Won) -> Moment {
        won.sent.saturating_add(won.ttl).saturating_sub(self.standing.margin)
    }
}

/// Why a leadership that is no longer held ended. A leader that gives up ends it first and says so right after: that word is
/// waited for, since somebody may wait for its answer.
async fn ended(control: &mut LeadershipControl) -> Over {
    match control.tenure().lost().await.kind() {
        ErrorKind::Closed => Over::Released(control.released().await),
        _ => Over::Lost,
    }
}

/// Answers a resignation that came while a lost candidate was being withdrawn.
async fn answer_late(control: &mut LeadershipControl) {
    tokio::select! {
        biased;
        release = control.released() => if let Release::Resigned(reply) = release {
            reply.send(Ok(()));
        },
        () = std::future::ready(()) => {}
    }
}

/// Resolves when waiting for the win is over, with what to answer.
async fn halt(backend: &'static str, closing: &CancellationToken, entry: &Entry, grant: &mut Grant) -> Error {
    let canceled = |context| Error::new(ErrorKind::Canceled, backend, OPERATION, context);
    tokio::select! {
        biased;
        () = closing.cancelled() => closed(backend, OPERATION),
        () = entry.canceled().cancelled() => canceled("the candidacy was canceled"),
        () = grant.closed() => canceled("nobody waits for the candidacy any more"),
    }
}

/// Whether a candidate stays through this error.
fn passes(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::Timeout | ErrorKind::Unavailable)
}

#[cfg(test)]
mod tests;
