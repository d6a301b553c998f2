//! The lines of `reception elect`.

use reception::{Error, ErrorKind, FencingToken, ServiceId};
use serde::Serialize;

use crate::{
    exit::{Failure, LOST},
    output::{Ink, Say, Token, one_line},
};

const DOUBT: &str = "the store did not answer in time, so the child was stopped before a rival may lead";

/// What happened to the candidate.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Told {
    Candidate {
        id: String,
    },
    Elected {
        token: Token,
        #[serde(skip)]
        text: String,
    },
    Lost {
        reason: Reason,
        error: String,
    },
    Resigned,
}

/// Why a leadership was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// The client was closed.
    Closed,
    /// The child had to be stopped before the store could let a rival lead.
    Doubt,
    /// The deadline has passed.
    Expired,
    /// The store took it away before the deadline.
    Revoked,
}

impl Reason {
    fn of(cause: &Error) -> Self {
        match cause.kind() {
            ErrorKind::Closed => Self::Closed,
            // The guard itself looks at the clock; what a backend reports was decided by the store.
            ErrorKind::LeaseLost if cause.backend() == "core" => Self::Expired,
            _ => Self::Revoked,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Doubt => "doubt",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Told {
    pub(super) fn candidate(id: &ServiceId) -> Self {
        Self::Candidate { id: id.to_string() }
    }

    pub(super) fn elected(token: FencingToken) -> Self {
        Self::Elected { token: token.into(), text: token.to_string() }
    }

    pub(super) fn lost(cause: &Error) -> Self {
        Self::Lost { reason: Reason::of(cause), error: cause.to_string() }
    }

    pub(super) fn doubt() -> Self {
        Self::Lost { reason: Reason::Doubt, error: DOUBT.to_owned() }
    }

    /// The loss of a leadership that was to be the only one.
    pub(super) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Lost { error, .. } => Some(Failure::new(LOST, format!("the leadership was lost: {error}"))),
            _ => None,
        }
    }
}

impl Say for Told {
    fn text(&self, ink: Ink) -> String {
        match self {
            Self::Candidate { id } => format!("{} candidate {id}", ink.yellow("~")),
            Self::Elected { text, .. } => format!("{} elected {text}", ink.green("+")),
            Self::Lost { reason, error } => {
                format!("{} lost ({}): {}", ink.red("-"), reason.word(), one_line(error))
            }
            Self::Resigned => format!("{} resigned", ink.red("-")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(told: &Told) -> String {
        serde_json::to_string(told).unwrap()
    }

    #[test]
    fn the_lines_are_those_of_the_contract() {
        assert_eq!(json(&Told::candidate(&"a1".parse().unwrap())), r#"{"event":"candidate","id":"a1"}"#);
        let elected = Told::elected(FencingToken::new([0xab; 16], 7));
        let domain = "ab".repeat(16);
        assert_eq!(
            json(&elected),
            format!(r#"{{"event":"elected","token":{{"domain":"{domain}","value":7}}}}"#)
        );
        assert_eq!(elected.text(Ink::PLAIN), format!("+ elected {domain}:7"));
        assert_eq!(json(&Told::Resigned), r#"{"event":"resigned"}"#);
        assert!(json(&Told::doubt()).starts_with(r#"{"event":"lost","reason":"doubt","error":""#));
    }

    #[test]
    fn who_ended_a_leadership_gives_the_reason() {
        let of = |kind, backend| Reason::of(&Error::new(kind, backend, "lead", "gone")).word();
        assert_eq!(of(ErrorKind::LeaseLost, "core"), "expired");
        assert_eq!(of(ErrorKind::LeaseLost, "etcd"), "revoked");
        assert_eq!(of(ErrorKind::Denied, "etcd"), "revoked");
        assert_eq!(of(ErrorKind::Closed, "core"), "closed");
    }
}
