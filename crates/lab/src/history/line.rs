//! One line of a history.

use std::{fmt, str::FromStr};

use super::{Details, Event, Token};

/// One thing that happened: `NS PID EVENT TOKEN [key=value ..]`.
///
/// ```
/// use reception_lab::history::{Event, Line};
///
/// let line: Line = "1700 41 write d:7 accepted=true".parse()?;
/// assert_eq!((line.ns, line.pid, line.event), (1700, 41, Event::Write));
/// assert!(line.details.flag("accepted"));
/// # Ok::<(), reception_lab::history::LineError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// When, in nanoseconds since boot.
    pub ns: u64,
    /// The process that it is about.
    pub pid: u32,
    /// What happened.
    pub event: Event,
    /// The leadership that it is about.
    pub token: Option<Token>,
    /// The rest.
    pub details: Details,
}

/// What a line does not say as it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// A detail has no `=`, or no key.
    #[error("a detail is key=value, not `{0}`")]
    Detail(String),
    /// The third word is no event.
    #[error("`{0}` is no event")]
    Event(String),
    /// The line ends early.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The second word is no process id.
    #[error("a process id is a number, not `{0}`")]
    Pid(String),
    /// The first word is no time.
    #[error("a time is the nanoseconds since boot, not `{0}`")]
    Time(String),
    /// A token is neither `domain:number` nor, in a line, `-`.
    #[error("a token is domain:number, not `{0}`")]
    Token(String),
}

impl Line {
    /// Makes a line.
    #[must_use]
    pub const fn new(ns: u64, pid: u32, event: Event, token: Option<Token>, details: Details) -> Self {
        Self { ns, pid, event, token, details }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.ns, self.pid, self.event)?;
        match &self.token {
            Some(token) => write!(f, "{token}")?,
            None => f.write_str("-")?,
        }
        if self.details.is_empty() { Ok(()) } else { write!(f, " {}", self.details) }
    }
}

impl FromStr for Line {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        let mut words = text.split_whitespace();
        let mut next = |what| words.next().ok_or(LineError::Missing(what));
        let (ns, pid) = (next("the time")?, next("the process id")?);
        let ns = ns.parse().map_err(|_| LineError::Time(ns.to_owned()))?;
        let pid = pid.parse().map_err(|_| LineError::Pid(pid.to_owned()))?;
        let event = next("the event")?.parse()?;
        let token = match next("the token")? {
            "-" => None,
            text => Some(text.parse()?),
        };
        let mut details = Details::new();
        for word in words {
            let pair = word.split_once('=').filter(|(key, _)| !key.is_empty());
            let (key, value) = pair.ok_or_else(|| LineError::Detail(word.to_owned()))?;
            details = details.with(key, value);
        }
        Ok(Self { ns, pid, event, token, details })
    }
}
