//! Those outside: who reads our lines, and who asks us to stop.

use super::told::Told;
use crate::{
    exit::{Failure, Outcome},
    output::{Broken, Output, Teller},
    signals::Signals,
};

/// What asks us to stop.
#[derive(Debug)]
pub(super) enum Stop {
    Signal,
    /// Nobody can read what we print any more.
    Output(Broken),
}

impl Stop {
    /// What we exit with when everything else would have had us exit with this code.
    pub(super) fn outcome(self, code: u8) -> Outcome {
        match self {
            Self::Output(broken @ Broken::Failed(_)) => {
                let failure = Failure::from(broken);
                Err(if code == 0 { failure } else { failure.with_code(code) })
            }
            Self::Output(Broken::Pipe) | Self::Signal => Ok(code),
        }
    }
}

pub(super) struct Outside<'a> {
    signals: Signals,
    teller: Teller<'a>,
    /// Nobody reads any more, and that was told.
    cut: bool,
}

impl<'a> Outside<'a> {
    pub(super) fn new(signals: Signals, output: &'a Output) -> Self {
        Self { signals, teller: Teller::new(output), cut: false }
    }

    /// Says it without waiting for who reads.
    pub(super) fn say(&mut self, what: Told) {
        self.teller.say(what);
    }

    /// The next wish to stop. Cancel safe.
    pub(super) async fn stop(&mut self) -> Stop {
        loop {
            if let Some(stop) = self.heard().await {
                return stop;
            }
        }
    }

    /// The next signal. Cancel safe.
    pub(super) async fn signal(&mut self) {
        self.signals.next().await;
    }

    /// Waits until what was said has been written; a wish to stop when that comes first. Cancel safe.
    pub(super) async fn written(&mut self) -> Option<Stop> {
        while !self.cut && !self.teller.is_done() {
            if let Some(stop) = self.heard().await {
                return Some(stop);
            }
        }
        None
    }

    /// A wish to stop, or nothing when one more line has been written.
    async fn heard(&mut self) -> Option<Stop> {
        tokio::select! {
            biased;
            () = self.signals.next() => Some(Stop::Signal),
            told = self.teller.told(), if !self.cut => told.err().map(|broken| {
                self.cut = true;
                self.teller.fall_silent();
                Stop::Output(broken)
            }),
        }
    }

    /// Waits for the last lines, but not for long.
    pub(super) async fn finish(&mut self, outcome: Outcome) -> Outcome {
        let written = if self.cut { Ok(()) } else { self.teller.finish().await };
        match (outcome, written) {
            (Ok(code), Err(broken)) => Stop::Output(broken).outcome(code),
            (outcome, _) => outcome,
        }
    }
}
