//! The members of a serverset, as Finagle and go.serversets write them; the format and its golden bytes are in `docs/wire/serverset.md`.
//!
//! A member's name says nothing but its order, so the id stands in its metadata.

mod read;
mod vector;
mod write;

use reception_core::{Result, Service, ServiceId, ServiceName};

use super::{Child, Layout, Naming, numbered};

const MEMBER: &str = "member_";
const VECTOR: &str = "vector_";

/// Serverset members at `BASE/NAME/member_SEQUENCE`, `BASE` being the URL's path, or `/discovery/PATH` with the preset of go.serversets.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Serverset {
    /// Stand where go.serversets looks: at `/discovery/ENV/SERVICE`, the URL's path being `ENV`.
    pub discovery: bool,
}

impl Serverset {
    /// Stands where go.serversets looks.
    #[must_use]
    pub fn discovery(mut self, discovery: bool) -> Self {
        self.discovery = discovery;
        self
    }
}

impl Layout for Serverset {
    fn base(&self, path: &str) -> String {
        if self.discovery { format!("/discovery/{path}") } else { format!("/{path}") }
    }

    fn encode(&self, service: &Service) -> Result<Vec<u8>> {
        write::write(service)
    }

    fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service> {
        read::read(name, id, record)
    }

    fn naming(&self) -> Naming {
        Naming::Numbered
    }

    fn prefix(&self, _id: &ServiceId, _mark: &str) -> String {
        MEMBER.to_owned()
    }

    fn child(&self, name: &str) -> Child {
        let member = || {
            let number = numbered(name).filter(|(prefix, _)| *prefix == MEMBER)?.1;
            ServiceId::foreign(name).ok().map(|id| Child::Instance { id, number })
        };
        if name.starts_with(VECTOR) { Child::Weights } else { member().unwrap_or(Child::Odd) }
    }

    fn weigh(&self, service: Service, child: &str, weights: &[&[u8]]) -> Service {
        vector::weigh(service, child, weights)
    }

    fn weighs(&self, record: &[u8]) -> bool {
        vector::read(record).is_some()
    }
}

/// The attributes that have a field, and what stands among the metadata for others.
mod field {
    pub(super) const SHARD: &str = "shard";
    pub(super) const WEIGHT: &str = "weight";
    /// Before the name of an additional endpoint.
    pub(super) const ENDPOINT: &str = "endpoint-";
    /// In the metadata; no attribute of a user has this prefix.
    pub(super) const ID: &str = "reception-id";
}

/// An endpoint as the text `host:port`, IPv6 in brackets.
fn endpoint_text(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Takes such a text apart; none when it is not exactly what [`endpoint_text`] makes.
fn endpoint(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty() && endpoint_text(host, port) == text).then_some((host, port))
}

#[cfg(test)]
mod tests;
