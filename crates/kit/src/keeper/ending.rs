//! Ending: withdrawing, who is told when, and when to stop trying.

use std::mem;

use reception_core::{Error, Moment, RegistrationState, Result};

use super::{Action, Input, Keeper, OPERATION, Phase};
use crate::{deadline::timed_out, supervise::closed};

#[derive(Debug)]
pub(super) struct Ending {
    pub(super) replies: Vec<u64>,
    /// Why the first write failed.
    failure: Option<Error>,
    answer_by: Moment,
    answered: bool,
    /// When a closing client stops trying.
    stop_at: Moment,
    last: Option<Error>,
}

impl Keeper {
    /// Another owner holds the id: there is nothing of ours to withdraw.
    pub(super) fn taken(&mut self, error: Error) {
        for id in self.pending.take().into_iter().flat_map(|(_, ids)| ids) {
            self.out.push(Action::Answer(id, Err(error.clone())));
        }
        self.out.push(Action::State(RegistrationState::Ended(error)));
        self.out.push(Action::Done);
    }

    pub(super) fn fail(&mut self, error: Error, now: Moment) {
        self.end(&Input::Abandon, now);
        let answer_by = self.begun.saturating_add(self.terms.timeout);
        if let Some(ending) = &mut self.ending {
            ending.answer_by = answer_by.max(now.saturating_add(self.terms.timeout / 4));
            ending.failure = Some(error);
        }
        self.withdraw(now);
    }

    /// Notes that the registration is no longer wanted, before anything else may happen.
    pub(super) fn end(&mut self, input: &Input, now: Moment) {
        let limit = now.saturating_add(self.terms.timeout);
        let error = closed(self.terms.backend, OPERATION);
        for id in self.pending.take().into_iter().flat_map(|(_, ids)| ids) {
            self.out.push(Action::Answer(id, Err(error.clone())));
        }
        let fresh = Ending {
            replies: Vec::new(),
            failure: None,
            answer_by: limit,
            answered: false,
            stop_at: Moment::NEVER,
            last: None,
        };
        match input {
            Input::Close(id) => {
                let ending = self.ending.get_or_insert(fresh);
                ending.replies.push(*id);
                ending.answered = false;
                ending.answer_by = limit;
            }
            Input::Abandon => {
                self.ending.get_or_insert(fresh);
            }
            Input::Closing => self.ending.get_or_insert(fresh).stop_at = limit,
            Input::Update(id, _) => self.out.push(Action::Answer(*id, Err(error))),
            _ => {}
        }
    }

    /// A withdrawal that had to wait for a write gets time of its own.
    pub(super) fn withdraw_after_write(&mut self, now: Moment) {
        if let Some(ending) = &mut self.ending {
            ending.stop_at = ending.stop_at.max(now.saturating_add(self.terms.timeout / 2));
            ending.answer_by = ending.answer_by.max(now.saturating_add(self.terms.timeout / 4));
        }
        self.withdraw(now);
    }

    pub(super) fn withdraw(&mut self, now: Moment) {
        self.generation += 1;
        self.out.push(Action::Withdraw(self.generation));
        self.phase = Phase::Withdrawing { until: now.saturating_add(self.terms.timeout) };
    }

    pub(super) fn rest(&mut self, error: Error, now: Moment) {
        let pause = self.backoff.next(&error);
        if let Some(ending) = &mut self.ending {
            // `register` has an error to tell: one try is enough to wait for.
            if ending.failure.is_some() {
                ending.answer_by = now;
            }
            ending.last = Some(error);
        }
        if self.stop_due(now) {
            return self.stop();
        }
        self.answer_if_due(now);
        self.phase = Phase::Resting { at: now.saturating_add(pause) };
    }

    pub(super) fn stop_due(&self, now: Moment) -> bool {
        self.ending.as_ref().is_some_and(|ending| now >= ending.stop_at)
    }

    pub(super) fn answer_if_due(&mut self, now: Moment) {
        if self.ending.as_ref().is_some_and(|ending| !ending.answered && now >= ending.answer_by) {
            self.let_go();
        }
    }

    pub(super) fn withdrawn(&mut self) {
        self.answer(&Ok(()));
        self.out.push(Action::Done);
    }

    /// A closing client has waited long enough.
    pub(super) fn stop(&mut self) {
        if self.ending.as_ref().is_some_and(|ending| !ending.answered) {
            self.let_go();
        }
        self.out.push(Action::Done);
    }

    fn let_go(&mut self) {
        let late = || timed_out(self.terms.timeout, self.terms.backend, "close");
        let error = self.ending.as_ref().and_then(|ending| ending.last.clone()).unwrap_or_else(late);
        self.answer(&Err(error.clone()));
        self.out.push(Action::LetGo(error));
    }

    /// Tells everyone who waits how the withdrawal went, and that the registration is over.
    fn answer(&mut self, outcome: &Result<()>) {
        let ended = closed(self.terms.backend, OPERATION);
        let Some(ending) = &mut self.ending else { return };
        ending.answered = true;
        for id in mem::take(&mut ending.replies) {
            self.out.push(Action::Answer(id, outcome.clone()));
        }
        if mem::replace(&mut self.over, true) {
            return;
        }
        if !self.registered {
            let failure = ending.failure.take().unwrap_or_else(|| ended.clone());
            self.out.push(Action::Registered(Err(failure)));
        }
        self.out.push(Action::State(RegistrationState::Ended(ended)));
    }
}

impl Ending {
    pub(super) fn next_deadline(&self) -> Moment {
        if self.answered { self.stop_at } else { self.stop_at.min(self.answer_by) }
    }
}
