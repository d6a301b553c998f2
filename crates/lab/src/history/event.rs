//! The words of a history.

use std::{fmt, str::FromStr};

use super::LineError;

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Event { $($(#[doc = $doc])+ $name,)+ }

        impl Event {
            /// All events.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word in the file.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }

        impl FromStr for Event {
            type Err = LineError;

            fn from_str(word: &str) -> Result<Self, LineError> {
                match word {
                    $($word => Ok(Self::$name),)+
                    _ => Err(LineError::Event(word.to_owned())),
                }
            }
        }
    };
}

events! {
    /// It held its leadership at this time: taken before it asked, and the answer was yes.
    Claim = "claim",
    /// Its client is closed.
    Closed = "closed",
    /// It closes its client.
    Closing = "closing",
    /// A connection was accepted; `from=NAME`.
    Connect = "connect",
    /// The process runs again.
    Continued = "continued",
    /// It leads.
    Elected = "elected",
    /// A stream ended; `watch=N kind=..`.
    Ended = "ended",
    /// A fault begins; `name=F4 pids=1,2 clients=a,b`, and `short=true`, or `early=true` or `takes=true`.
    Fault = "fault",
    /// The fault is over; `within=MS` until everything must be well.
    Heal = "heal",
    /// The process was killed.
    Killed = "killed",
    /// It knows that its leadership is over; `why=..`.
    Lost = "lost",
    /// Words for a reader; the checker passes over it.
    Note = "note",
    /// Its registration stands; `id=..`.
    Registered = "registered",
    /// What was left after everything had closed; `what=.. count=N`.
    Residue = "residue",
    /// Its resignation is through.
    Resigned = "resigned",
    /// It resigns: its leadership is over from here on.
    Resigning = "resigning",
    /// A watch showed a set; `watch=N version=.. ids=a,b`.
    Snapshot = "snapshot",
    /// A watch said that what it showed may be old; `watch=N kind=..`.
    Stale = "stale",
    /// It stands for election; `id=..`.
    Standing = "standing",
    /// A registration changed its state; `id=.. state=active|doubtful|ended`.
    State = "state",
    /// The process was stopped.
    Stopped = "stopped",
    /// It opens a watch; `watch=N`, written before the call.
    Watching = "watching",
    /// It withdraws a registration; `id=..`.
    Withdrawing = "withdrawing",
    /// The withdrawal answered; `id=.. ok=true|false`.
    Withdrawn = "withdrawn",
    /// The fenced store answered a write; `accepted=true|false`.
    Write = "write",
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
