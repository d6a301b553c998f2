//! The lines of this process.

use std::{
    io::{self, Write as _},
    process,
};

use reception_lab::history::{Details, Event, Recorder, Token, boot_ns};

use crate::{Outcome, arguments::Arguments};

/// Appends the lines of this process to the history.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Recorder);

impl Journal {
    pub(crate) fn open(arguments: &Arguments) -> Outcome<Self> {
        Ok(Self(Recorder::open(&arguments.history)?))
    }

    /// Writes down what happened now.
    pub(crate) fn say(&self, event: Event, details: &[(&str, &str)]) {
        self.write(boot_ns(), event, None, details);
    }

    /// Writes down what happened now to a leadership.
    pub(crate) fn say_of(&self, token: &Token, event: Event, details: &[(&str, &str)]) {
        self.write(boot_ns(), event, Some(token), details);
    }

    /// Writes down what happened to a leadership at `ns`.
    pub(crate) fn say_at(&self, ns: u64, token: &Token, event: Event) {
        self.write(ns, event, Some(token), &[]);
    }

    fn write(&self, ns: u64, event: Event, token: Option<&Token>, details: &[(&str, &str)]) {
        let all = details.iter().fold(Details::new(), |all, (key, value)| all.with(key, value));
        if let Err(error) = self.0.record_at(ns, event, token.cloned(), all) {
            // A contender whose lines are lost proves nothing.
            drop(writeln!(io::stderr(), "contender: {error}"));
            process::exit(3);
        }
    }
}
