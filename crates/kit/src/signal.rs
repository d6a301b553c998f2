//! Every event and metric of the kit, so that the rest stays silent.
//!
//! Fields: backend, operation, service, id, election, token, error. Metrics, with the feature
//! `metrics`: `reception_reconnects_total`, `reception_unreadable_total`,
//! `reception_registrations{state}`, `reception_leader`, `reception_watch_stale`.
//!
//! An event is at warn only where no return value tells the caller.

use std::fmt;

use reception_core::{
    ElectionName, Error, FencingToken, RegistrationState, Result, Service, ServiceId, ServiceName,
};
use tracing::{debug, warn};

use crate::{mailbox::Event, view::View};

/// A connection, session or watch broke and is made again.
pub fn reconnecting(backend: &'static str, operation: &'static str, error: &Error) {
    debug!(backend, operation, %error, "reconnecting");
    count::reconnect(backend, operation);
}

/// Records of others could not be read and were left out (law L16).
pub fn unreadable(backend: &'static str, service: &str, records: usize) {
    debug!(backend, service, records, "records could not be read");
    count::unreadable(backend, records);
}

/// One registration.
pub(crate) struct Registration {
    backend: &'static str,
    service: ServiceName,
    id: ServiceId,
    gauge: count::Gauge,
}

impl Registration {
    pub(crate) fn new(backend: &'static str, service: &Service) -> Self {
        let (name, id) = (service.name().clone(), service.id().clone());
        Self { backend, service: name, id, gauge: count::Gauge::none() }
    }

    pub(crate) fn state(&mut self, state: &RegistrationState) {
        let (backend, service, id) = (self.backend, &self.service, &self.id);
        match state {
            RegistrationState::Active => {
                debug!(backend, operation = "register", %service, %id, "active");
                self.gauge = count::registration(backend, "active");
            }
            RegistrationState::Doubtful(error) => {
                debug!(backend, operation = "register", %service, %id, %error, "doubtful");
                self.gauge = count::registration(backend, "doubtful");
            }
            RegistrationState::Ended(error) => {
                debug!(backend, operation = "register", %service, %id, %error, "ended");
                self.gauge = count::Gauge::none();
            }
            _ => {}
        }
    }

    pub(crate) fn withdrawal_failed(&self, error: &Error) {
        let (backend, service, id) = (self.backend, &self.service, &self.id);
        warn!(backend, operation = "close", %service, %id, %error, "not withdrawn yet");
    }
}

/// One upstream watch.
pub(crate) struct Watch {
    backend: &'static str,
    key: String,
    of_election: bool,
    unreadable: usize,
    stale: count::Gauge,
}

impl Watch {
    pub(crate) fn new<V: View>(backend: &'static str, key: &impl fmt::Display) -> Self {
        let key = key.to_string();
        Self { backend, key, of_election: V::OF_ELECTION, unreadable: 0, stale: count::Gauge::none() }
    }

    pub(crate) fn broken(&self, error: &Error) {
        let (backend, key) = (self.backend, self.key.as_str());
        if self.of_election {
            debug!(backend, operation = "observe", election = key, %error, "stale");
            count::reconnect(backend, "observe");
        } else {
            debug!(backend, operation = "watch", service = key, %error, "stale");
            count::reconnect(backend, "watch");
        }
    }

    pub(crate) fn published<V: View>(&mut self, event: &Event<V>) {
        let backend = self.backend;
        match event {
            Event::Stale(_) => self.stale = count::stale(backend),
            Event::Reset(view) => {
                self.stale = count::Gauge::none();
                self.unreadable(view.unreadable());
            }
            Event::Delta(delta) => self.unreadable(V::unreadable_after(delta)),
        }
    }

    fn unreadable(&mut self, now: usize) {
        let more = now.saturating_sub(self.unreadable);
        if more > 0 {
            unreadable(self.backend, &self.key, more);
        }
        self.unreadable = now;
    }
}

/// One candidacy.
pub(crate) struct Candidacy {
    backend: &'static str,
    election: ElectionName,
    id: ServiceId,
    leading: count::Gauge,
}

impl Candidacy {
    pub(crate) fn new(backend: &'static str, election: &ElectionName, candidate: &Service) -> Self {
        let (election, id) = (election.clone(), candidate.id().clone());
        Self { backend, election, id, leading: count::Gauge::none() }
    }

    pub(crate) fn won(&mut self, token: FencingToken) {
        let (backend, election, id) = (self.backend, &self.election, &self.id);
        debug!(backend, operation = "elect", %election, %id, %token, "elected");
        self.leading = count::leader(backend, election.as_str());
    }

    pub(crate) fn ended(&mut self) {
        let (backend, election, id) = (self.backend, &self.election, &self.id);
        debug!(backend, operation = "elect", %election, %id, "leads no longer");
        self.leading = count::Gauge::none();
    }

    pub(crate) fn failed(&self, error: &Error) {
        let (backend, election, id) = (self.backend, &self.election, &self.id);
        debug!(backend, operation = "elect", %election, %id, %error, "not leading");
    }

    pub(crate) fn release_failed(&self, error: &Error) {
        let (backend, election, id) = (self.backend, &self.election, &self.id);
        warn!(backend, operation = "resign", %election, %id, %error, "not withdrawn yet");
    }

    pub(crate) fn released(&self, outcome: &Result<()>) {
        let (backend, election, id) = (self.backend, &self.election, &self.id);
        match outcome {
            Ok(()) => debug!(backend, operation = "resign", %election, %id, "withdrawn"),
            Err(error) => debug!(backend, operation = "resign", %election, %id, %error, "left to its lease"),
        }
    }
}

#[cfg(feature = "metrics")]
mod count {
    /// Counts one for as long as it lives.
    pub(super) struct Gauge(Option<metrics::Gauge>);

    impl Gauge {
        pub(super) fn none() -> Self {
            Self(None)
        }

        fn one(gauge: metrics::Gauge) -> Self {
            gauge.increment(1.0);
            Self(Some(gauge))
        }
    }

    impl Drop for Gauge {
        fn drop(&mut self) {
            if let Some(gauge) = &self.0 {
                gauge.decrement(1.0);
            }
        }
    }

    pub(super) fn reconnect(backend: &'static str, operation: &'static str) {
        metrics::counter!("reception_reconnects_total", "backend" => backend, "operation" => operation)
            .increment(1);
    }

    pub(super) fn unreadable(backend: &'static str, records: usize) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        metrics::counter!("reception_unreadable_total", "backend" => backend).increment(records);
    }

    pub(super) fn registration(backend: &'static str, state: &'static str) -> Gauge {
        Gauge::one(metrics::gauge!("reception_registrations", "backend" => backend, "state" => state))
    }

    pub(super) fn stale(backend: &'static str) -> Gauge {
        Gauge::one(metrics::gauge!("reception_watch_stale", "backend" => backend))
    }

    pub(super) fn leader(backend: &'static str, election: &str) -> Gauge {
        let election = election.to_owned();
        Gauge::one(metrics::gauge!("reception_leader", "backend" => backend, "election" => election))
    }
}

#[cfg(not(feature = "metrics"))]
mod count {
    pub(super) struct Gauge;

    impl Gauge {
        pub(super) fn none() -> Self {
            Self
        }
    }

    pub(super) fn reconnect(_backend: &'static str, _operation: &'static str) {}

    pub(super) fn unreadable(_backend: &'static str, _records: usize) {}

    pub(super) fn registration(_backend: &'static str, _state: &'static str) -> Gauge {
        Gauge
    }

    pub(super) fn stale(_backend: &'static str) -> Gauge {
        Gauge
    }

    pub(super) fn leader(_backend: &'static str, _election: &str) -> Gauge {
        Gauge
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests;
