//! Names, keys and records: the contract with other programs on the same Consul.
//!
//! ```text
//! service   NAMESPACE-NAME, id NAMESPACE-NAME:ID        an instance; no namespace: NAME, id NAME:ID
//! key       NAMESPACE/ELECTION/.lock                    the lock of an election, as `consul lock` takes it
//! key       NAMESPACE/.domain                           the domain of tokens; no namespace: reception/.domain
//! service   reception--session                          what carries the checks of a process; never listed
//! ```

mod read;
mod write;

use std::time::Duration;

use reception_core::{ElectionName, ServiceId, ServiceName};
use uuid::Uuid;

pub(crate) use read::decode;
pub(crate) use write::{Asked, Liveness, alias_check, instance, instance_parts, session_service, wake_check};

/// What the name of a service that carries our own checks is: `names` hides it.
pub(crate) const HIDDEN: &str = "reception--session";
/// What `consul lock` and Go's client write as the flags of a lock.
pub(crate) const LOCK_FLAGS: u64 = 0x2ddc_cbc0_58a5_0c18;
pub(crate) const OWNER: &str = "reception-owner";
pub(crate) const NAMESPACE: &str = "reception-namespace";
const STATUS: &str = "reception-status";
/// What our keys of the meta begin with.
const RESERVED: &str = "reception-";
/// Before an attribute that stands among the tags, since the meta is full.
const SURPLUS: &str = "reception-attribute:";
/// What the id of a check begins with that only tells what the instance says of itself.
const STATED: &str = "reception-status-";
pub(crate) const ALIAS: &str = "reception-alias-";
const MOST_META: usize = 64;
const DOMAIN: &str = ".domain";

/// What instances look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// As a Consul user expects: attributes in the meta, tags, weights.
    #[default]
    Native,
    /// As the Go library of this name wrote them: attributes as JSON in the first tag.
    Reception,
}

/// Where everything of one client stands.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) namespace: String,
    prefix: String,
    pub(crate) layout: Layout,
}

impl Names {
    pub(crate) fn new(namespace: &str, layout: Layout) -> Self {
        let parts: Vec<&str> = namespace.split('/').filter(|part| !part.is_empty()).collect();
        let namespace = parts.join("/");
        let prefix =
            if namespace.is_empty() { String::new() } else { format!("{}-", namespace.replace('/', "-")) };
        Self { namespace, prefix, layout }
    }

    /// The service's name in Consul.
    pub(crate) fn service(&self, name: &ServiceName) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The instance's id in Consul, where ids are unique within an agent and not within a service.
    pub(crate) fn instance(&self, name: &ServiceName, id: &ServiceId) -> String {
        match self.layout {
            Layout::Native => format!("{}{name}:{id}", self.prefix),
            Layout::Reception => id.to_string(),
        }
    }

    /// The name as our caller knows it; `None` for what is not in this namespace.
    pub(crate) fn known_as(&self, service: &str) -> Option<ServiceName> {
        let name = service.strip_prefix(&self.prefix).filter(|_| service != HIDDEN)?;
        ServiceName::foreign(name).ok()
    }

    pub(crate) fn lock(&self, election: &ElectionName) -> String {
        match self.namespace.as_str() {
            "" => format!("{election}/.lock"),
            namespace => format!("{namespace}/{election}/.lock"),
        }
    }

    pub(crate) fn domain(&self) -> String {
        match self.namespace.as_str() {
            "" => format!("reception/{DOMAIN}"),
            namespace => format!("{namespace}/{DOMAIN}"),
        }
    }
}

/// The id of a registration's check, which tells the owner. An alias has another one: an agent that gets a check of another kind under a known id goes
/// on with the old one beside it, and lets it lapse.
pub(crate) fn liveness_check(owner: Uuid, alias: bool) -> String {
    format!("{}{}", if alias { ALIAS } else { RESERVED }, owner.simple())
}

/// The owner that a check tells.
pub(crate) fn owner_of_check(check: &str) -> Option<Uuid> {
    let text = check.strip_prefix(ALIAS).or_else(|| check.strip_prefix(RESERVED));
    Uuid::try_parse(text.filter(|text| text.len() == 32)?).ok()
}

pub(crate) fn status_check(owner: Uuid) -> String {
    format!("{STATED}{}", owner.simple())
}

/// The registration whose check it is, by which it lives or states its status, of ours or of another client.
pub(crate) fn registration_of(check: &str) -> Option<Uuid> {
    owner_of_check(check).or_else(|| Uuid::try_parse(check.strip_prefix(STATED)?).ok())
}

/// The check of a node that an operator keeps traffic away from.
const NODE_MAINTENANCE: &str = "_node_maintenance";

/// Whether an operator has set the check, to keep traffic away.
pub(crate) fn is_maintenance(check: &str) -> bool {
    check.starts_with("_service_maintenance") || check == NODE_MAINTENANCE
}

/// The text of an owner mark: the client, then the registration.
pub(crate) fn owner_mark(client: Uuid, owner: Uuid) -> String {
    format!("{}-{}", client.simple(), owner.simple())
}

/// The registration that an owner mark tells.
pub(crate) fn owner_of_mark(mark: &str) -> Option<Uuid> {
    mark.rsplit_once('-').and_then(|(_, owner)| Uuid::try_parse(owner).ok())
}

/// A span as Consul reads it.
pub(crate) fn span(span: Duration) -> String {
    format!("{}ms", span.as_millis())
}

/// The text of a domain.
pub(crate) fn write_domain(domain: [u8; 16]) -> String {
    Uuid::from_bytes(domain).simple().to_string()
}

/// The domain that a key holds, if it holds one.
pub(crate) fn read_domain(value: &[u8]) -> Option<[u8; 16]> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 32)?;
    Uuid::try_parse(text).ok().map(Uuid::into_bytes)
}

#[cfg(test)]
mod tests;
