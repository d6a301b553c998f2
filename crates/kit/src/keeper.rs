//! The keeper: what to do next for one registration.
//!
//! It owns the order of writes and withdrawals and every promise about them; it does no I/O and
//! reads no clock. `register` feeds it inputs and performs its actions.
//!
//! ```text
//!            ┌── conflict, failed ──┐
//!            ▼                      │
//!  begin ► Writing ──── ok ────► Holding ── taken ──► Done
//!            ▲  │                   │
//!  Waiting ──┘  └─ close, abandon, closing, first write failed
//!                   ▼               ▼
//!                Withdrawing ◄──► Resting      ok, or time is up ──► Done
//! ```
//!
//! A write under way is always waited for before a withdrawal starts: one that lands after the
//! withdrawal would bring the instance back (law L6).

mod ending;
mod writing;

use std::{mem, time::Duration};

use reception_core::{Error, Moment, OnConflict, RegistrationState, Result, Service};

use self::{ending::Ending, writing::Writing};
use crate::{
    backoff::Backoff,
    deadline::timed_out,
    slot::{Attempt, News},
    supervise::closed,
};

/// News that an id is free may bring a try forward, but never closer than this to the one before.
const NUDGE: Duration = Duration::from_millis(100);
const OPERATION: &str = "register";

#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) backend: &'static str,
    pub(crate) on_conflict: OnConflict,
    pub(crate) timeout: Duration,
    pub(crate) crash_bound: Duration,
    pub(crate) reconcile: Duration,
}

/// What happened. Outcomes carry the number of their operation: one that was cut counts no more.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Wrote(u64, Result<()>),
    Withdrew(u64, Result<()>),
    News(News),
    Update(u64, Service),
    Close(u64),
    Abandon,
    Closing,
    Tick,
}

/// What to do. At most one write or withdrawal is under way at any time.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Write(u64, Service, Attempt),
    Withdraw(u64),
    /// Drop the operation under way; its outcome is unknown.
    Cut,
    Adopt(Service),
    State(RegistrationState),
    Answer(u64, Result<()>),
    /// Answers `register` itself.
    Registered(Result<()>),
    /// The withdrawal goes on, but no longer keeps the client open.
    LetGo(Error),
    Done,
}

#[derive(Debug)]
pub(crate) struct Keeper {
    terms: Terms,
    backoff: Backoff,
    phase: Phase,
    begun: Moment,
    generation: u64,
    /// The record that the store accepted last; an update that fails leaves it wanted.
    kept: Service,
    /// The latest update that no write has carried yet, and everyone who waits for it.
    pending: Option<(Service, Vec<u64>)>,
    registered: bool,
    /// The store may not hold `kept`: write it when no update does so first.
    repair: bool,
    doubtful: bool,
    active_since: Moment,
    ending: Option<Ending>,
    /// Everyone who asked has been told that it is over.
    over: bool,
    out: Vec<Action>,
}

#[derive(Debug)]
enum Phase {
    Writing(Writing),
    Holding {
        reconcile_at: Moment,
    },
    Waiting {
        at: Moment,
        tried: Moment,
        /// The news has been heard; the next try is what counts.
        deaf: bool,
    },
    Withdrawing {
        until: Moment,
    },
    Resting {
        at: Moment,
    },
    Done,
}

impl Keeper {
    pub(crate) fn new(service: Service, terms: Terms, backoff: Backoff, now: Moment) -> Self {
        Self {
            terms,
            backoff,
            phase: Phase::Done,
            begun: now,
            generation: 0,
            kept: service,
            pending: None,
            registered: false,
            repair: true,
            doubtful: false,
            active_since: now,
            ending: None,
            over: false,
            out: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self) -> Vec<Action> {
        self.write_kept(self.begun);
        mem::take(&mut self.out)
    }

    pub(crate) fn step(&mut self, input: Input, now: Moment) -> Vec<Action> {
        let phase = mem::replace(&mut self.phase, Phase::Done);
        match phase {
            Phase::Writing(writing) => self.writing(writing, input, now),
            Phase::Holding { reconcile_at } => self.holding(reconcile_at, input, now),
            Phase::Waiting { at, tried, deaf } => self.waiting(at, tried, deaf, input, now),
            Phase::Withdrawing { until } => self.withdrawing(until, input, now),
            Phase::Resting { at } => self.resting(at, &input, now),
            Phase::Done => self.done(&input),
        }
        mem::take(&mut self.out)
    }

    /// When the next `Tick` is due.
    pub(crate) fn deadline(&self) -> Moment {
        let own = match &self.phase {
            Phase::Writing(writing) => writing.until,
            Phase::Holding { reconcile_at: at } | Phase::Waiting { at, .. } => *at,
            Phase::Withdrawing { until: at } | Phase::Resting { at } => *at,
            Phase::Done => Moment::NEVER,
        };
        match &self.ending {
            Some(ending) if !matches!(self.phase, Phase::Writing(_)) => own.min(ending.next_deadline()),
            _ => own,
        }
    }

    /// Whether the slot's news is wanted now.
    pub(crate) fn hears_news(&self) -> bool {
        matches!(self.phase, Phase::Holding { .. } | Phase::Waiting { deaf: false, .. })
    }

    // ---- one method per state ----------------------------------------------------------------------------------

    fn writing(&mut self, mut writing: Writing, input: Input, now: Moment) {
        match input {
            Input::Wrote(number, outcome) if number == self.generation => {
                return self.wrote(writing, outcome, now);
            }
            Input::Tick if now >= writing.until => {
                self.out.push(Action::Cut);
                let late = timed_out(self.terms.timeout, self.terms.backend, OPERATION);
                return self.wrote(writing, Err(late), now);
            }
            Input::Update(id, service) => self.queue(id, service),
            Input::Close(_) | Input::Abandon | Input::Closing => {
                self.end(&input, now);
                writing.until = writing.until.min(now.saturating_add(self.terms.timeout));
            }
            _ => {}
        }
        self.phase = Phase::Writing(writing);
    }

    fn holding(&mut self, reconcile_at: Moment, input: Input, now: Moment) {
        match input {
            Input::News(News::Lost(error)) => return self.lost(&error, now),
            Input::News(News::Taken(error)) => return self.taken(error),
            Input::News(News::Doubtful(error)) => self.doubt(error),
            Input::News(News::Healthy) => self.active(),
            Input::Update(id, service) => {
                self.queue(id, service);
                return self.write_next(now);
            }
            Input::Close(_) | Input::Abandon | Input::Closing => {
                self.end(&input, now);
                return self.withdraw(now);
            }
            Input::Tick if now >= reconcile_at => return self.write_kept(now),
            _ => {}
        }
        self.phase = Phase::Holding { reconcile_at };
    }

    fn waiting(&mut self, mut at: Moment, tried: Moment, mut deaf: bool, input: Input, now: Moment) {
        match input {
            Input::News(News::Taken(error)) if self.registered => return self.taken(error),
            Input::News(News::Taken(error)) => return self.fail(error, now),
            // That the claim is lost is known already when a repair is due.
            Input::News(News::Lost(_)) if self.registered => deaf = true,
            Input::News(News::Lost(_) | News::Healthy) => {
                at = at.min(tried.saturating_add(NUDGE).max(now));
                deaf = true;
            }
            Input::News(News::Doubtful(error)) => self.doubt(error),
            Input::Update(id, service) => {
                self.queue(id, service);
                if self.registered {
                    return self.write_next(now);
                }
            }
            Input::Close(_) | Input::Abandon | Input::Closing => {
                self.end(&input, now);
                return self.withdraw(now);
            }
            Input::Tick if now >= at => return self.write_next(now),
            _ => {}
        }
        self.phase = Phase::Waiting { at, tried, deaf };
    }

    fn withdrawing(&mut self, until: Moment, input: Input, now: Moment) {
        match input {
            Input::Withdrew(number, Ok(())) if number == self.generation => return self.withdrawn(),
            Input::Withdrew(number, Err(error)) if number == self.generation => return self.rest(error, now),
            Input::Tick if now >= until => {
                self.out.push(Action::Cut);
                let late = timed_out(self.terms.timeout, self.terms.backend, "close");
                return self.rest(late, now);
            }
            Input::Tick => {
                if self.stop_due(now) {
                    self.out.push(Action::Cut);
                    return self.stop();
                }
                self.answer_if_due(now);
            }
            _ => self.end(&input, now),
        }
        self.phase = Phase::Withdrawing { until };
    }

    fn resting(&mut self, at: Moment, input: &Input, now: Moment) {
        match input {
            Input::Tick => {
                if self.stop_due(now) {
                    return self.stop();
                }
                self.answer_if_due(now);
                if now >= at {
                    return self.withdraw(now);
                }
            }
            // A closing client gives it one more try at once.
            Input::Closing => {
                self.end(input, now);
                return self.withdraw(now);
            }
            _ => self.end(input, now),
        }
        self.phase = Phase::Resting { at };
    }

    fn done(&mut self, input: &Input) {
        if let Input::Update(id, _) | Input::Close(id) = input {
            self.out.push(Action::Answer(*id, Err(closed(self.terms.backend, OPERATION))));
        }
    }
}

#[cfg(test)]
mod tests;
