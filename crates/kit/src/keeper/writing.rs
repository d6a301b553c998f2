//! Writing: what is written next, and what its outcome means.

use std::{mem, time::Duration};

use reception_core::{Error, ErrorKind, Moment, OnConflict, RegistrationState, Result, Service};

use super::{Action, Keeper, Phase};
use crate::{backoff::CALM, slot::Attempt, supervise::closed};

/// `register` waits for an owner that is dying: its user should not wait much longer than that.
const CONFLICT_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Writing {
    pub(super) service: Service,
    pub(super) attempt: Attempt,
    pub(super) replies: Vec<u64>,
    pub(super) until: Moment,
}

impl Keeper {
    pub(super) fn write_next(&mut self, now: Moment) {
        match self.pending.take() {
            Some((service, replies)) if self.registered => {
                self.write(service, Attempt::Update, replies, now);
            }
            pending => {
                self.pending = pending;
                self.write_kept(now);
            }
        }
    }

    pub(super) fn write_kept(&mut self, now: Moment) {
        let attempt = if self.registered { Attempt::Repair } else { Attempt::First(self.terms.on_conflict) };
        self.write(self.kept.clone(), attempt, Vec::new(), now);
    }

    pub(super) fn write(&mut self, service: Service, attempt: Attempt, replies: Vec<u64>, now: Moment) {
        self.generation += 1;
        // Slots bound themselves by the timeout; this is for one that does not.
        let mut until = now.saturating_add(self.terms.timeout.saturating_mul(2));
        if attempt == Attempt::First(OnConflict::Wait) {
            until = until.max(self.wait_limit());
        }
        self.out.push(Action::Write(self.generation, service.clone(), attempt));
        self.phase = Phase::Writing(Writing { service, attempt, replies, until });
    }

    pub(super) fn wrote(&mut self, writing: Writing, outcome: Result<()>, now: Moment) {
        if outcome.is_ok() && writing.attempt == Attempt::Update {
            self.out.push(Action::Adopt(writing.service.clone()));
        }
        for id in &writing.replies {
            self.out.push(Action::Answer(*id, outcome.clone()));
        }
        if self.ending.is_some() {
            return self.withdraw_after_write(now);
        }
        match outcome {
            Ok(()) => self.accepted(writing, now),
            Err(error) => self.refused(&writing, error, now),
        }
    }

    pub(super) fn accepted(&mut self, writing: Writing, now: Moment) {
        self.kept = writing.service;
        if self.repair {
            self.repair = false;
            self.active_since = now;
        }
        self.active();
        if !self.registered {
            self.registered = true;
            self.out.push(Action::Registered(Ok(())));
        }
        self.hold(now);
    }

    pub(super) fn refused(&mut self, writing: &Writing, error: Error, now: Moment) {
        let conflict = error.kind() == ErrorKind::Conflict;
        match writing.attempt {
            Attempt::First(OnConflict::Wait) if conflict && now < self.wait_limit() => {
                self.pause(&error, now);
            }
            Attempt::First(_) => self.fail(error, now),
            _ if conflict => self.taken(error),
            Attempt::Update if never_sent(&error) && !self.repair => self.hold(now),
            _ => {
                self.repair = true;
                self.doubt(error.clone());
                if self.pending.is_some() {
                    return self.write_next(now);
                }
                self.pause(&error, now);
            }
        }
    }

    pub(super) fn hold(&mut self, now: Moment) {
        if self.pending.is_some() {
            return self.write_next(now);
        }
        let every = self.terms.reconcile;
        let reconcile_at = if every.is_zero() { Moment::NEVER } else { now.saturating_add(every) };
        self.phase = Phase::Holding { reconcile_at };
    }

    pub(super) fn pause(&mut self, error: &Error, now: Moment) {
        let mut at = now.saturating_add(self.backoff.next(error));
        if !self.registered {
            at = at.min(now.saturating_add(CONFLICT_PAUSE)).min(self.wait_limit());
        }
        self.phase = Phase::Waiting { at, tried: now, deaf: false };
    }

    pub(super) fn lost(&mut self, error: &Error, now: Moment) {
        self.repair = true;
        self.doubt(error.clone());
        self.backoff.healthy(self.active_since, now);
        // Two owners that take an id from each other in turn must not do so as fast as they can.
        if now.saturating_since(self.active_since) >= CALM {
            return self.write_kept(now);
        }
        self.pause(error, now);
    }

    pub(super) fn wait_limit(&self) -> Moment {
        self.begun.saturating_add(self.terms.crash_bound).saturating_add(self.terms.timeout)
    }

    pub(super) fn queue(&mut self, id: u64, service: Service) {
        if self.ending.is_some() {
            return self.out.push(Action::Answer(id, Err(closed(self.terms.backend, "update"))));
        }
        let (wanted, ids) = self.pending.get_or_insert_with(|| (service.clone(), Vec::new()));
        *wanted = service;
        ids.push(id);
    }

    pub(super) fn active(&mut self) {
        if mem::take(&mut self.doubtful) || !self.registered {
            self.out.push(Action::State(RegistrationState::Active));
        }
    }

    pub(super) fn doubt(&mut self, error: Error) {
        if self.registered {
            self.doubtful = true;
            self.out.push(Action::State(RegistrationState::Doubtful(error)));
        }
    }
}

/// Whether the record was refused before it could reach the store.
fn never_sent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInstance | ErrorKind::InvalidName | ErrorKind::TooLarge)
}
