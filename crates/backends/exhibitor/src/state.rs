//! What is known of the Exhibitors: when one answered, where the servers are from, what went wrong last.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reception_core::{Clock, Endpoint, Error, ErrorKind, Moment, Probe, Result};

use crate::error::NAME;

/// Where the servers are from that are used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Nowhere,
    /// The option `fallback`.
    Fallback,
    /// An Exhibitor; whether the last round got an answer, and how many servers it told.
    Exhibitor {
        live: bool,
        count: usize,
    },
}

/// What the finder notes and a probe tells.
#[derive(Debug)]
pub(crate) struct State {
    clock: Clock,
    facts: Mutex<Facts>,
}

#[derive(Debug)]
struct Facts {
    origin: Origin,
    success: Option<(Moment, String)>,
    trouble: Option<Error>,
    /// How each Exhibitor answered when it was asked last.
    outcomes: BTreeMap<String, Result<Duration>>,
}

impl State {
    pub(crate) fn new(clock: Clock) -> Self {
        let facts =
            Facts { origin: Origin::Nowhere, success: None, trouble: None, outcomes: BTreeMap::new() };
        Self { clock, facts: Mutex::new(facts) }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// An Exhibitor was asked.
    pub(crate) fn asked(&self, place: &str, outcome: Result<Duration>) {
        self.facts().outcomes.insert(place.to_owned(), outcome);
    }

    /// A round brought servers.
    pub(crate) fn found(&self, place: &str, count: usize) {
        let now = self.now();
        let mut facts = self.facts();
        facts.origin = Origin::Exhibitor { live: true, count };
        facts.success = Some((now, place.to_owned()));
        facts.trouble = None;
    }

    /// A round brought none; true when none ever did.
    pub(crate) fn failed(&self, error: Error) -> bool {
        let mut facts = self.facts();
        facts.trouble = Some(error);
        if let Origin::Exhibitor { live, .. } = &mut facts.origin {
            *live = false;
        }
        facts.success.is_none()
    }

    /// The static servers are used.
    pub(crate) fn fell_back(&self) {
        self.facts().origin = Origin::Fallback;
    }

    /// Adds what is known to a probe of the store.
    pub(crate) fn tell(&self, mut probe: Probe) -> Probe {
        probe.notes.extend(self.notes());
        let facts = self.facts();
        let outcomes = facts.outcomes.iter().map(|(place, outcome)| Endpoint::new(place, outcome.clone()));
        probe.endpoints.extend(outcomes);
        probe
    }

    /// Adds what is known to the reason why the store cannot be probed; Exhibitor's own reasons tell it.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let of_store = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
        if error.backend() == NAME || !of_store {
            return error;
        }
        let context = format!("{}; {}", error.context(), self.notes().join("; "));
        let told = Error::new(error.kind(), NAME, error.operation(), context);
        told.with_retry(error.retry()).with_source(error)
    }

    /// Where the servers are from, and what went wrong last.
    fn notes(&self) -> Vec<String> {
        let now = self.now();
        let facts = self.facts();
        let source = match (&facts.origin, &facts.success) {
            (Origin::Exhibitor { live, count }, Some((when, place))) => {
                let word = if *live { "live" } else { "cached" };
                let ago = now.saturating_since(*when).as_secs_f64();
                format!("servers: {count} {word}, as Exhibitor {place} told {ago:.1} s ago")
            }
            (Origin::Fallback, _) => "servers: fallback, no Exhibitor has answered yet".to_owned(),
            _ => "servers: none, no Exhibitor has answered yet".to_owned(),
        };
        let trouble = facts.trouble.as_ref().map(|trouble| format!("last error: {}", trouble.context()));
        std::iter::once(source).chain(trouble).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::unfound;

    #[test]
    fn a_probe_tells_the_source_the_last_success_and_the_last_error() {
        let state = State::new(Clock::from_fn(|| Moment::from_duration(Duration::from_secs(9))));
        let told = || state.tell(Probe::new(Vec::new())).notes;
        assert_eq!(told(), ["servers: none, no Exhibitor has answered yet"]);
        let hung = || unfound(ErrorKind::Unavailable, "no answer");
        assert!(state.failed(hung()));
        state.fell_back();
        assert_eq!(told(), ["servers: fallback, no Exhibitor has answered yet", "last error: no answer"]);
        state.found("e1:8080", 3);
        assert_eq!(told(), ["servers: 3 live, as Exhibitor e1:8080 told 0.0 s ago"]);
        state.asked("e1:8080", Err(hung()));
        assert!(!state.failed(hung()));
        assert_eq!(
            told(),
            ["servers: 3 cached, as Exhibitor e1:8080 told 0.0 s ago", "last error: no answer"]
        );
        let endpoints = state.tell(Probe::new(Vec::new())).endpoints;
        assert_eq!(endpoints.len(), 1);
        assert!(endpoints[0].outcome.is_err());
    }
}
