//! The orderly end: withdraw, drain, stop the child, and what we exit with.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt;
use reception::{
    Error, ErrorKind,
    health::{Gate, GateChange},
};

use super::{
    stay::{Stay, Stop},
    told::{Reason, Told},
};
use crate::{
    child::Child,
    exit::{FAILED, Failure, LOST, Outcome},
    output::Broken,
};

/// How it ended.
#[derive(Debug)]
pub(super) struct End {
    /// Another owner has the id.
    lost: Option<Failure>,
    /// What the child ended with.
    child: Option<u8>,
    /// The first decides the code.
    failures: Vec<Failure>,
    /// Nothing of ours is in the store.
    pub(super) confirmed: bool,
}

impl End {
    fn new() -> Self {
        Self { lost: None, child: None, failures: Vec::new(), confirmed: true }
    }

    /// The first that applies: lost, the child's code, a failure of our own, all well.
    pub(super) fn outcome(self) -> Outcome {
        let code = self.child.filter(|code| *code != 0 && self.lost.is_none());
        let mut failures = self.lost.into_iter().chain(self.failures);
        let first = failures.next();
        failures.for_each(|failure| failure.tell());
        match (first, code) {
            (Some(failure), Some(code)) => Err(failure.with_code(code)),
            (Some(failure), None) => Err(failure),
            (None, code) => Ok(code.unwrap_or(0)),
        }
    }
}

impl Stay<'_> {
    /// Ends it in order.
    pub(super) async fn end(mut self, stop: Stop) -> End {
        let mut end = End::new();
        let mut drain = self.register.drain;
        let reason = match stop {
            Stop::Signal => Reason::Signal,
            Stop::Child => Reason::Child,
            Stop::Unfit(failure) => {
                end.failures.push(failure);
                Reason::Child
            }
            Stop::Output(broken) => {
                self.teller.fall_silent();
                end.unwritten(broken);
                Reason::Signal
            }
            Stop::Gate(error) => {
                drain = Duration::ZERO;
                self.gate = None;
                self.over(error, &mut end);
                Reason::Signal
            }
        };
        let mut killed = false;
        if let Some(gate) = self.gate.take() {
            killed = self.withdraw(gate, reason, &mut end).await;
        }
        if !killed {
            killed = self.written(&mut end).await;
        }
        end.child = self.stop_child(drain, killed).await;
        if let Err(broken) = self.teller.finish().await {
            end.unwritten(broken);
        }
        end
    }

    /// Another owner has the id, or the first registration was in vain.
    fn over(&mut self, error: Error, end: &mut End) {
        if self.was_there && error.kind() == ErrorKind::Conflict {
            self.teller.say(Told::lost(&self.service, &error));
            end.lost = Some(Failure::new(LOST, error.to_string()));
            return;
        }
        end.confirmed = !matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable);
        end.failures.push(error.into());
    }

    /// Takes the instance out; true when a signal came meanwhile, which kills the child.
    async fn withdraw(&mut self, gate: Gate, reason: Reason, end: &mut End) -> bool {
        let mut closing = pin!(gate.close());
        let mut killed = false;
        let closed = loop {
            tokio::select! {
                biased;
                closed = &mut closing => break closed,
                () = self.signals.next(), if !killed => {
                    killed = true;
                    self.child.iter().for_each(Child::kill);
                }
            }
        };
        // What came before the stop but was not heard, or while a call to the store had to be waited for.
        while let Some(change) = self.changes.next().await {
            if matches!(change, GateChange::Registered(_) | GateChange::Withdrawn) {
                self.changed(Some(change));
            }
        }
        match closed {
            Ok(()) if self.shown => self.teller.say(Told::deregistered(&self.service, reason)),
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => self.over(error, end),
            Err(error) => {
                end.confirmed = false;
                end.failures.push(Failure::new(FAILED, format!("not confirmed: {error}")));
            }
        }
        killed
    }

    /// Waits until what was said stands before what the child says to its end; true when a signal came meanwhile, which kills the child.
    async fn written(&mut self, end: &mut End) -> bool {
        let Some(child) = &self.child else { return false };
        tokio::select! {
            biased;
            () = self.signals.next() => {
                child.kill();
                true
            }
            written = self.teller.finish() => {
                if let Err(broken) = written {
                    end.unwritten(broken);
                }
                false
            }
        }
    }

    /// Lets the child go on for the drain and stops it then; what it ended with, if there is one.
    async fn stop_child(&mut self, drain: Duration, mut killed: bool) -> Option<u8> {
        let child = self.child.as_mut()?;
        if !killed && !drain.is_zero() {
            tokio::select! {
                biased;
                ending = child.ended() => return Some(ending.code()),
                () = self.signals.next() => {
                    child.kill();
                    killed = true;
                }
                () = tokio::time::sleep(drain) => {}
            }
        }
        let ending = match killed {
            true => child.gone().await,
            false => child.stop(self.register.child.kill_after, &mut self.signals).await,
        };
        Some(ending.code())
    }
}

impl End {
    /// That the reader went away is nothing to tell, and nobody is there to be told.
    fn unwritten(&mut self, broken: Broken) {
        if let Broken::Failed(_) = broken {
            self.failures.push(broken.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(lost: bool, child: Option<u8>, failures: &[u8]) -> String {
        let failures = failures.iter().map(|code| Failure::new(*code, "on purpose")).collect();
        let lost = lost.then(|| Failure::new(LOST, "lost"));
        format!("{:?}", End { lost, child, failures, confirmed: true }.outcome())
    }

    #[test]
    fn a_lost_registration_goes_before_the_child() {
        assert!(end(true, Some(7), &[FAILED]).contains("code: 3"));
    }

    #[test]
    fn the_child_goes_before_a_failure_of_ours_unless_it_ended_well() {
        assert!(end(false, Some(7), &[FAILED]).contains("code: 7"));
        assert!(end(false, Some(0), &[FAILED]).contains("code: 1"));
        assert_eq!(end(false, Some(7), &[]), "Ok(7)");
        assert_eq!(end(false, Some(0), &[]), "Ok(0)");
    }

    #[test]
    fn the_first_failure_decides_the_code() {
        assert!(end(false, None, &[127, FAILED]).contains("code: 127"));
        assert_eq!(end(false, None, &[]), "Ok(0)");
    }
}
