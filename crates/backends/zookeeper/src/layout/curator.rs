//! The record of Apache Curator's service discovery; the format and its golden bytes are in `docs/wire/curator.md`.
//!
//! Written are exactly the nine fields that every release of Curator reads, `enabled` only for an instance that is not up. Read is whatever
//! can be understood.

mod payload;
mod read;
mod uri_spec;
mod write;

use reception_core::{Result, Service, ServiceId, ServiceName};

use super::Layout;

const MAP: &str = "java.util.LinkedHashMap";

/// Curator's records at `BASE/NAME/ID`, `BASE` being the URL's path.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Curator {
    /// What readers expect as the payload.
    pub payload: Payload,
    /// The Java class that a payload of attributes is written as.
    pub class: String,
}

/// What readers of a Curator record expect as its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// A map of texts, which holds the attributes.
    #[default]
    Map,
    /// Nothing: attributes that have no field of their own are refused.
    None,
    /// One text, the attribute `payload`; others that have no field of their own are refused.
    String,
}

impl Default for Curator {
    fn default() -> Self {
        Self { payload: Payload::Map, class: MAP.to_owned() }
    }
}

impl Curator {
    /// Writes this kind of payload.
    #[must_use]
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// Writes a map of attributes as this Java class.
    #[must_use]
    pub fn class(mut self, class: impl Into<String>) -> Self {
        self.class = class.into();
        self
    }
}

impl Layout for Curator {
    fn base(&self, path: &str) -> String {
        format!("/{path}")
    }

    fn encode(&self, service: &Service) -> Result<Vec<u8>> {
        write::write(self, service)
    }

    fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service> {
        read::read(self, name, id, record)
    }
}

/// The fields of a record and the attributes that have one.
mod field {
    pub(super) const SSL_PORT: &str = "ssl-port";
    pub(super) const URI_SPEC: &str = "uri-spec";
    pub(super) const PAYLOAD: &str = "payload";
    pub(super) const REGISTERED: &str = "registered-at";
    /// In a payload, for what `enabled` cannot say; no attribute of a user has this prefix.
    pub(super) const STATUS: &str = "reception-status";
    pub(super) const DOWN: &str = "down";
    /// In a payload, what Java's readers know the class by.
    pub(super) const CLASS: &str = "@class";
}

#[cfg(test)]
mod tests;
