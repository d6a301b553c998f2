//! Standing, again and again, until there is a reason to end.

use std::time::Duration;

use reception::{Client, Elector, Error, Service};

use super::{
    outside::{Outside, Stop},
    pause::Pauses,
    told::Told,
};
use crate::{
    args::Elect,
    exit::{FAILED, Failure, Outcome},
    output::Output,
    signals::Signals,
};

/// One candidate.
pub(super) struct Stand<'a> {
    pub(super) elect: &'a Elect,
    pub(super) outside: Outside<'a>,
    pub(super) pauses: Pauses,
    candidate: Service,
    /// Why the store did not agree when we gave up.
    pub(super) unconfirmed: Option<Error>,
    /// It does not lead, and has nothing to give up that others wait for.
    waits: bool,
}

/// What follows a leadership.
#[derive(Debug)]
pub(super) enum Next {
    /// The command ends, asked to or not, with this code unless it must tell of a failure.
    End(u8, Option<Stop>),
    /// The command ends with this failure: the child cannot be run, or a leadership that was to be the only one is lost.
    Fail(Failure),
    /// It stands again, after this long.
    Again(Duration),
}

impl<'a> Stand<'a> {
    pub(super) fn new(elect: &'a Elect, candidate: Service, signals: Signals, output: &'a Output) -> Self {
        let outside = Outside::new(signals, output);
        Self { elect, outside, pauses: Pauses::new(), candidate, unconfirmed: None, waits: true }
    }

    /// Stands until it is over.
    pub(super) async fn run(&mut self, elector: &dyn Elector) -> Outcome {
        loop {
            self.waits = true;
            // An outage of then is none of now: what stands again is withdrawn like any candidate.
            self.unconfirmed = None;
            self.outside.say(Told::candidate(self.candidate.id()));
            let leadership = tokio::select! {
                biased;
                stop = self.outside.stop() => return stop.outcome(0),
                won = elector.elect(self.candidate.clone()) => won?,
            };
            self.waits = false;
            let pause = match self.lead(leadership).await {
                Next::End(code, stop) => return self.ended(code, stop),
                Next::Fail(failure) => {
                    if let Some(unconfirmed) = self.unconfirmed() {
                        unconfirmed.tell();
                    }
                    return Err(failure);
                }
                Next::Again(pause) => pause,
            };
            self.waits = true;
            tokio::select! {
                biased;
                stop = self.outside.stop() => return stop.outcome(0),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Waits for the last lines and lets go of the store, at once at a further signal.
    pub(super) async fn close(&mut self, client: &dyn Client, outcome: Outcome) -> Outcome {
        let outcome = self.outside.finish(outcome).await;
        if self.unconfirmed.is_some() {
            // A store that has just failed to agree would have us wait as long again.
            return outcome;
        }
        let closed = tokio::select! {
            biased;
            () = self.outside.signal() => Ok(()),
            closed = client.close() => closed,
        };
        match (outcome, closed) {
            (Ok(0), Err(error)) if !self.waits => Err(Failure::new(FAILED, error.to_string())),
            (outcome, _) => outcome,
        }
    }

    /// A stop that the store did not confirm counts where nothing else went wrong.
    fn ended(&self, code: u8, stop: Option<Stop>) -> Outcome {
        let outcome = stop.unwrap_or(Stop::Signal).outcome(code);
        match (self.unconfirmed(), outcome) {
            (Some(unconfirmed), Ok(0)) => Err(unconfirmed),
            (Some(unconfirmed), outcome) => {
                unconfirmed.tell();
                outcome
            }
            (None, outcome) => outcome,
        }
    }

    fn unconfirmed(&self) -> Option<Failure> {
        self.unconfirmed.as_ref().map(|error| Failure::new(FAILED, error.to_string()))
    }
}
