//! What a backend can do, and what a store says when asked.

use std::time::Duration;

use crate::error::Result;

/// What a backend can do: facts, known without asking the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The longest that a dead process may still be seen, by the store's own clock; zero where the operating system notices, [`Duration::MAX`] where nobody
    /// does.
    pub crash_bound: Duration,
    /// Whether [`Elector::candidates`](crate::Elector::candidates) can answer.
    pub candidates: bool,
    /// Whether the store may give a claim away before its time, so that only the fence protects (law L9).
    pub early_revocation: bool,
}

impl Capabilities {
    /// The facts of a store that forgets a dead process within `crash_bound`; the flags are false.
    #[must_use]
    pub const fn new(crash_bound: Duration) -> Self {
        Self { crash_bound, candidates: false, early_revocation: false }
    }

    /// Sets whether candidates can be listed.
    #[must_use]
    pub const fn candidates(mut self, candidates: bool) -> Self {
        self.candidates = candidates;
        self
    }

    /// Sets whether the store may give a claim away early.
    #[must_use]
    pub const fn early_revocation(mut self, early_revocation: bool) -> Self {
        self.early_revocation = early_revocation;
        self
    }
}

/// What the store said of itself and of us, in one round trip.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Probe {
    /// What the server is called.
    pub server: Option<String>,
    /// The server's version.
    pub version: Option<String>,
    /// Each endpoint with its latency or its error.
    pub endpoints: Vec<Endpoint>,
    /// Who the store takes us for.
    pub identity: Option<String>,
    /// The time to live that the store granted, which may differ from what was asked.
    pub lease: Option<Duration>,
    /// Anything else worth telling a person.
    pub notes: Vec<String>,
}

impl Probe {
    /// Starts from the endpoints.
    #[must_use]
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        Self { server: None, version: None, endpoints, identity: None, lease: None, notes: Vec::new() }
    }

    /// Sets what the server is called.
    #[must_use]
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// Sets the server's version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets who the store takes us for.
    #[must_use]
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// Sets the granted time to live.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// One address of the store and how it answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Endpoint {
    /// The address, without user or secret.
    pub address: String,
    /// How long the answer took, or why there was none.
    pub outcome: Result<Duration>,
}

impl Endpoint {
    /// An endpoint and how it answered.
    #[must_use]
    pub fn new(address: impl Into<String>, outcome: Result<Duration>) -> Self {
        Self { address: address.into(), outcome }
    }
}
