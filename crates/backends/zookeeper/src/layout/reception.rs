//! The nodes and records of the Go library reception; the format and its golden bytes are in `docs/wire/reception.md`.
//!
//! Instances and candidates are one there: the oldest instance of the service that has the election's name leads.

mod record;

use reception_core::{Result, Service, ServiceId, ServiceName};

use super::{Candidates, Child, Layout, Naming, numbered};

/// What Go's protected nodes begin with.
const PROTECTED: &str = "_c_";
/// The hexadecimal digits behind it.
const MARK: usize = 32;

/// The Go library reception's protected sequential nodes at `BASE/NAME/_c_MARK-ID-SEQUENCE`, `BASE` being the URL's path.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Reception;

impl Layout for Reception {
    fn base(&self, path: &str) -> String {
        format!("/{path}")
    }

    fn encode(&self, service: &Service) -> Result<Vec<u8>> {
        record::write(service)
    }

    fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service> {
        record::read(name, id, record)
    }

    fn naming(&self) -> Naming {
        Naming::Numbered
    }

    fn prefix(&self, id: &ServiceId, mark: &str) -> String {
        format!("{PROTECTED}{mark}-{id}-")
    }

    fn child(&self, name: &str) -> Child {
        let found = || {
            let (rest, number) = numbered(name)?;
            let rest = rest.strip_prefix(PROTECTED)?.strip_suffix('-')?;
            let (mark, id) = rest.split_at_checked(MARK)?;
            let id = ServiceId::foreign(id.strip_prefix('-')?).ok()?;
            mark.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(Child::Instance { id, number })
        };
        found().unwrap_or(Child::Odd)
    }

    fn candidates(&self) -> Candidates {
        Candidates::Instances
    }
}

#[cfg(test)]
mod tests;
