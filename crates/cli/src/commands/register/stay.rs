//! From the start to what ends it.

use std::{future, pin::pin};

use futures_util::StreamExt;
use reception::{
    BoxStream, Error, ErrorKind, Service,
    health::{Gate, GateChange},
};

use super::told::{Reason, Told};
use crate::{
    args::Register,
    child::{Child, Ending},
    exit::Failure,
    output::{Broken, Output, Teller},
    signals::Signals,
};

/// One registration and the child beside it.
pub(super) struct Stay<'a> {
    pub(super) register: &'a Register,
    pub(super) service: Service,
    pub(super) signals: Signals,
    pub(super) teller: Teller<'a>,
    pub(super) child: Option<Child>,
    pub(super) changes: BoxStream<GateChange>,
    /// None once it has ended.
    pub(super) gate: Option<Gate>,
    start: Start,
    /// It was registered at some time, so that another owner of the id displaces us.
    pub(super) was_there: bool,
    /// `registered` was told, and no `deregistered` since.
    pub(super) shown: bool,
    /// Why the last try of the check was bad.
    bad: Option<String>,
}

/// When the child starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With the first `registered`.
    Later,
    /// When what was said before has been written, so that it stands before what the child says.
    Due,
    /// It was started, or there is none.
    Done,
}

/// Why the staying is over.
pub(super) enum Stop {
    Signal,
    Child,
    /// The child could not be started.
    Unfit(Failure),
    Output(Broken),
    /// The gate has ended by itself.
    Gate(Error),
}

impl<'a> Stay<'a> {
    /// With a check the child starts at once, since the check mostly asks it.
    pub(super) fn new(
        gate: Gate,
        asks: bool,
        register: &'a Register,
        output: &'a Output,
        signals: Signals,
    ) -> Self {
        let start = match register.child.command.is_empty() {
            true => Start::Done,
            false if asks => Start::Due,
            false => Start::Later,
        };
        Self {
            register,
            service: gate.service().clone(),
            signals,
            teller: Teller::new(output),
            child: None,
            changes: gate.changes(),
            gate: Some(gate),
            start,
            was_there: false,
            shown: false,
            bad: None,
        }
    }

    /// Stays registered until something ends it.
    pub(super) async fn stay(&mut self) -> Stop {
        loop {
            if self.start == Start::Due && self.teller.is_done() {
                self.start = Start::Done;
                if let Some(stop) = self.start_child().await {
                    return stop;
                }
            }
            let full = self.teller.is_full();
            tokio::select! {
                biased;
                () = self.signals.next() => return Stop::Signal,
                _ = ended(&mut self.child) => return Stop::Child,
                told = self.teller.told() => if let Err(broken) = told {
                    return Stop::Output(broken);
                },
                change = self.changes.next(), if !full => if let Some(error) = self.changed(change) {
                    return Stop::Gate(error);
                },
            }
        }
    }

    /// A signal waits until the child runs, which is then stopped as any other; a second one does not.
    async fn start_child(&mut self) -> Option<Stop> {
        let mut spawning = pin!(Child::spawn(&self.register.child.command, &[]));
        let mut asked = false;
        let spawned = loop {
            tokio::select! {
                biased;
                () = self.signals.next() => match asked {
                    false => asked = true,
                    true => return Some(Stop::Signal),
                },
                spawned = &mut spawning => break spawned,
            }
        };
        match spawned {
            Ok(child) => {
                self.child = Some(child);
                asked.then_some(Stop::Signal)
            }
            Err(failure) => Some(Stop::Unfit(failure)),
        }
    }

    /// Nothing else says why an instance is not there: told at first, and when it is for another reason.
    fn is_bad(&mut self, reason: String) {
        if self.bad.as_ref() != Some(&reason) {
            tracing::warn!(%reason, "the check is bad");
            self.bad = Some(reason);
        }
    }

    /// Tells a change of the gate; Some when it was the last.
    pub(super) fn changed(&mut self, change: Option<GateChange>) -> Option<Error> {
        let service = &self.service;
        match change {
            Some(GateChange::Registered(service)) => {
                (self.was_there, self.shown) = (true, true);
                self.teller.say(Told::registered(&service));
                if self.start == Start::Later {
                    self.start = Start::Due;
                }
            }
            Some(GateChange::Doubtful(error)) => self.teller.say(Told::doubtful(service, &error)),
            Some(GateChange::Recovered) => self.teller.say(Told::recovered(service)),
            Some(GateChange::Withdrawn) => {
                self.shown = false;
                self.teller.say(Told::deregistered(service, Reason::Check));
            }
            Some(GateChange::Unconfirmed(error)) => tracing::warn!(%error, "not confirmed, tried again"),
            Some(GateChange::Failing(reason)) => self.is_bad(reason),
            Some(GateChange::Passing) => {
                self.bad = None;
                tracing::info!("the check is good");
            }
            Some(GateChange::Lost(error)) => return Some(error),
            Some(_) => {}
            None => return Some(Error::new(ErrorKind::Closed, "health", "register", "the gate has ended")),
        }
        None
    }
}

/// The child's end; never without a child. Cancel safe.
async fn ended(child: &mut Option<Child>) -> Ending {
    match child {
        Some(child) => child.ended().await,
        None => future::pending().await,
    }
}
