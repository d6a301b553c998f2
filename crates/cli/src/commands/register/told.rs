//! The lines of `reception register`.

use reception::{Error, Service};
use serde::Serialize;

use crate::output::{Ink, Instance, Say, one_line, text_of};

/// What happened to the instance.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Told {
    Registered {
        service: Instance,
        #[serde(skip)]
        text: String,
    },
    Doubtful {
        id: String,
        error: String,
    },
    Recovered {
        id: String,
    },
    Lost {
        id: String,
        reason: &'static str,
        error: String,
    },
    Deregistered {
        id: String,
        reason: Reason,
    },
}

/// Why the instance was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    Check,
    Child,
    Signal,
}

impl Told {
    pub(super) fn registered(service: &Service) -> Self {
        Self::Registered { service: service.into(), text: text_of(service) }
    }

    pub(super) fn doubtful(service: &Service, error: &Error) -> Self {
        Self::Doubtful { id: service.id().to_string(), error: error.to_string() }
    }

    pub(super) fn recovered(service: &Service) -> Self {
        Self::Recovered { id: service.id().to_string() }
    }

    /// Another owner has the id.
    pub(super) fn lost(service: &Service, error: &Error) -> Self {
        Self::Lost { id: service.id().to_string(), reason: "conflict", error: error.to_string() }
    }

    pub(super) fn deregistered(service: &Service, reason: Reason) -> Self {
        Self::Deregistered { id: service.id().to_string(), reason }
    }
}

impl Say for Told {
    fn text(&self, ink: Ink) -> String {
        match self {
            Self::Registered { text, .. } => format!("{} registered {text}", ink.green("+")),
            Self::Doubtful { id, error } => format!("{} doubtful {id}: {}", ink.yellow("!"), one_line(error)),
            Self::Recovered { id } => format!("{} recovered {id}", ink.green("+")),
            Self::Lost { id, error, .. } => format!("{} lost {id}: {}", ink.red("-"), one_line(error)),
            Self::Deregistered { id, reason } => {
                format!("{} deregistered {id} ({})", ink.red("-"), reason.word())
            }
        }
    }
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Child => "child",
            Self::Signal => "signal",
        }
    }
}

#[cfg(test)]
mod tests {
    use reception::ErrorKind;

    use super::*;

    fn service() -> Service {
        Service::builder("api", "10.0.0.7", 80).id("a1").attribute("zone", "b").build().unwrap()
    }

    fn both(told: &Told) -> (String, String) {
        (serde_json::to_string(told).unwrap(), told.text(Ink::PLAIN))
    }

    #[test]
    fn a_registration_shows_the_instance() {
        let (json, text) = both(&Told::registered(&service()));
        let instance = r#"{"name":"api","id":"a1","address":"10.0.0.7","port":80,"status":"up","attributes":{"zone":"b"}}"#;
        assert_eq!(json, format!(r#"{{"event":"registered","service":{instance}}}"#));
        assert_eq!(text, "+ registered a1 10.0.0.7:80 zone=b");
    }

    #[test]
    fn doubt_tells_its_reason_in_one_line() {
        let error = Error::new(ErrorKind::Unavailable, "etcd", "renew", "no\nanswer");
        let (json, text) = both(&Told::doubtful(&service(), &error));
        assert!(
            json.starts_with(r#"{"event":"doubtful","id":"a1","error":"renew on etcd: no\nanswer"#),
            "{json}"
        );
        assert!(text.starts_with("! doubtful a1: renew on etcd: no answer"), "{text}");
        let (json, text) = both(&Told::recovered(&service()));
        assert_eq!((json.as_str(), text.as_str()), (r#"{"event":"recovered","id":"a1"}"#, "+ recovered a1"));
    }

    #[test]
    fn the_end_tells_why() {
        let (json, text) = both(&Told::deregistered(&service(), Reason::Signal));
        assert_eq!(json, r#"{"event":"deregistered","id":"a1","reason":"signal"}"#);
        assert_eq!(text, "- deregistered a1 (signal)");
        for reason in [Reason::Check, Reason::Child, Reason::Signal] {
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{}\"", reason.word()));
        }
        let error = Error::new(ErrorKind::Conflict, "memory", "register", "taken");
        let (json, _) = both(&Told::lost(&service(), &error));
        assert!(
            json.starts_with(r#"{"event":"lost","id":"a1","reason":"conflict","error":"register on memory"#),
            "{json}"
        );
    }
}
