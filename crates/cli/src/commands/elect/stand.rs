//! Standing, again and again, until there is a reason to end.

use std::time::Duration;

use reception::{Elector, Error, Service};

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
}

/// What follows a leadership.
#[derive(Debug)]
pub(super) enum Next {
    /// The command ends, asked to or not, with this code unless it must tell of a failure.
    End(u8, Option<Stop>),
    /// The child cannot be run.
    Unfit(Failure),
    /// It stands again, after this long.
    Again(Duration),
}

impl<'a> Stand<'a> {
    pub(super) fn new(elect: &'a Elect, candidate: Service, signals: Signals, output: &'a Output) -> Self {
        let outside = Outside::new(signals, output);
        Self { elect, outside, pauses: Pauses::new(), candidate, unconfirmed: None }
    }

    /// Stands until it is over.
    pub(super) async fn run(&mut self, elector: &dyn Elector) -> Outcome {
        loop {
            self.outside.say(Told::candidate(self.candidate.id()));
            let leadership = tokio::select! {
                biased;
                stop = self.outside.stop() => return stop.outcome(0),
                won = elector.elect(self.candidate.clone()) => won?,
            };
            self.unconfirmed = None;
            let pause = match self.lead(leadership).await {
                Next::End(code, stop) => return self.ended(code, stop),
                Next::Unfit(failure) => {
                    if let Some(unconfirmed) = self.unconfirmed() {
                        unconfirmed.tell();
                    }
                    return Err(failure);
                }
                Next::Again(pause) => pause,
            };
            tokio::select! {
                biased;
                stop = self.outside.stop() => return stop.outcome(0),
                () = tokio::time::sleep(pause) => {}
            }
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

    /// Whether the store has not agreed to our end.
    pub(super) fn is_unconfirmed(&self) -> bool {
        self.unconfirmed.is_some()
    }

    /// Waits for the last lines.
    pub(super) async fn finish(&mut self, outcome: Outcome) -> Outcome {
        self.outside.finish(outcome).await
    }
}
