//! Where everything of one client stands.

use std::sync::Arc;

use reception_core::{ElectionName, Error, ErrorKind, Result, Service, ServiceId, ServiceName};
use reception_kit::record;
use uuid::Uuid;

use super::{Candidates, Child, Layout, Naming};
use crate::error::error;

/// What candidates of Curator's recipe have before their sequence number.
const LATCH: &str = "latch-";
const DOMAIN: &str = ".domain";
const LEADER: &str = "_leader";
const NAMESPACE: &str = "reception";

/// Where everything of one client stands.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    base: String,
    elections: String,
    pub(crate) layout: Arc<dyn Layout>,
}

impl Paths {
    pub(crate) fn new(
        chroot: &str,
        namespace: &str,
        elections: Option<&str>,
        layout: Arc<dyn Layout>,
    ) -> Result<Self> {
        let namespace = if namespace.is_empty() { NAMESPACE } else { namespace };
        let trimmed = namespace.trim_matches('/');
        checked("the namespace", &format!("/{trimmed}"))?;
        let root = chroot.trim_end_matches('/');
        if !root.is_empty() {
            checked("option \"chroot\"", root)?;
        }
        let elections = match elections {
            Some(given) => given.trim_end_matches('/').to_owned(),
            None => format!("/{trimmed}-elections"),
        };
        checked("option \"elections\"", &elections)?;
        let base = layout.base(trimmed);
        checked("the base of the layout", &base)?;
        if is_below(&elections, &base) || is_below(&base, &elections) {
            let text = format!("the elections at {elections} and the services at {base} lie in each other");
            return Err(error(ErrorKind::Config, "dial", text));
        }
        Ok(Self { base: format!("{root}{base}"), elections: format!("{root}{elections}"), layout })
    }

    /// Refuses what names no node, or one elsewhere: those who only read may ask for any name.
    pub(crate) fn check(operation: &'static str, text: &str) -> Result<()> {
        if is_segment(text) {
            return Ok(());
        }
        Err(error(ErrorKind::InvalidName, operation, format!("{text:?} is not the name of a node")))
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Where the instances of a service stand.
    pub(crate) fn instances(&self, name: &ServiceName) -> String {
        self.layout.folder(&self.base, name)
    }

    /// Where the records of these instances stand, if not in their nodes.
    pub(crate) fn records(&self, folder: &str) -> Option<String> {
        let records = self.layout.records(&self.base);
        records.filter(|records| records != folder)
    }

    pub(crate) fn instance(&self, name: &ServiceName, id: &ServiceId) -> String {
        format!("{}/{id}", self.instances(name))
    }

    /// What a numbered instance's path begins with; the server adds the number.
    pub(crate) fn prefix(&self, name: &ServiceName, id: &ServiceId, guid: Uuid) -> Option<String> {
        let numbered = self.layout.naming() == Naming::Numbered;
        let prefix = || self.layout.prefix(id, &guid.simple().to_string());
        numbered.then(|| format!("{}/{}", self.instances(name), prefix()))
    }

    /// Whether the name of a numbered node tells its id; else the record does.
    pub(crate) fn names_tell_ids(&self) -> bool {
        let of = |id| ServiceId::foreign(id).map(|id| self.layout.prefix(&id, ""));
        of("a").ok() != of("b").ok()
    }

    /// Where the candidates of an election stand.
    pub(crate) fn candidates(&self, name: &ElectionName) -> String {
        match (self.layout.candidates(), service_of(name)) {
            (Candidates::Instances | Candidates::Named, Ok(name)) => self.instances(&name),
            _ => format!("{}/{name}", self.elections),
        }
    }

    /// What a candidate's path begins with; the server adds the sequence number.
    pub(crate) fn candidate(&self, name: &ElectionName, id: &ServiceId, guid: Uuid) -> String {
        let folder = self.candidates(name);
        match self.layout.candidates() {
            Candidates::Instances => {
                format!("{folder}/{}", self.layout.prefix(id, &guid.simple().to_string()))
            }
            _ => format!("{folder}/_c_{guid}-{LATCH}"),
        }
    }

    /// The number of a candidate; `None` for what is none.
    pub(crate) fn sequence(&self, child: &str) -> Option<u32> {
        match self.layout.candidates() {
            Candidates::Latch => sequence(child),
            Candidates::Instances | Candidates::Named => match self.layout.child(child) {
                Child::Instance { number, .. } => Some(number),
                _ => None,
            },
        }
    }

    /// The node that says who leads, in a layout that has one.
    pub(crate) fn leader(&self, name: &ElectionName) -> Option<String> {
        let named = self.layout.candidates() == Candidates::Named;
        named.then(|| format!("{}/{LEADER}", self.candidates(name)))
    }

    /// The record of a candidate.
    pub(crate) fn encode_candidate(&self, candidate: &Service) -> Result<Vec<u8>> {
        match self.layout.candidates() {
            Candidates::Latch => record::encode_candidate(candidate),
            Candidates::Instances | Candidates::Named => self.layout.encode(candidate),
        }
    }

    /// What a candidate says of itself; one of another program may say nothing that is understood.
    pub(crate) fn decode_candidate(&self, name: &ElectionName, child: &str, data: &[u8]) -> Option<Service> {
        if self.layout.candidates() == Candidates::Latch {
            return record::decode_candidate(data).ok();
        }
        let Child::Instance { id, .. } = self.layout.child(child) else { return None };
        self.layout.decode(&service_of(name).ok()?, &id, data).ok()
    }

    pub(crate) fn domain(&self) -> String {
        format!("{}/{DOMAIN}", self.elections)
    }
}

/// Whether a path is one that ZooKeeper takes, and that needs no more than a line.
fn checked(what: &str, path: &str) -> Result<()> {
    let parts = path.strip_prefix('/').map(|rest| rest.split('/'));
    if parts.is_some_and(|mut parts| parts.all(is_segment)) && path.len() <= 1024 && path != "/zookeeper" {
        return Ok(());
    }
    let text = format!("{what} is no path of the form /a/b of at most 1024 bytes");
    Err(error(ErrorKind::Config, "dial", text))
}

/// Whether a text can be the name of a node; some characters no server takes.
fn is_segment(text: &str) -> bool {
    let refused = |c: char| {
        c == '/' || c.is_control() || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}')
    };
    !matches!(text, "" | "." | "..") && !text.contains(refused)
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The sequence number of a candidate; `None` for what is no candidate of Curator's recipe.
fn sequence(child: &str) -> Option<u32> {
    let (name, number) = super::numbered(child)?;
    name.ends_with(LATCH).then_some(number)
}

/// The service whose instances are the candidates of an election.
fn service_of(name: &ElectionName) -> Result<ServiceName, Error> {
    ServiceName::foreign(name.as_str())
}

/// The text of a domain.
pub(crate) fn write_domain(domain: [u8; 16]) -> String {
    Uuid::from_bytes(domain).simple().to_string()
}

/// The domain that a record holds, if it holds one.
pub(crate) fn read_domain(record: &[u8]) -> Option<[u8; 16]> {
    let text = std::str::from_utf8(record).ok().filter(|text| text.len() == 32)?;
    Uuid::try_parse(text).ok().map(Uuid::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Curator;

    fn paths(chroot: &str, namespace: &str, elections: Option<&str>) -> Result<Paths> {
        Paths::new(chroot, namespace, elections, Arc::new(Curator::default()))
    }

    #[test]
    fn everything_has_its_place() {
        let name = ServiceName::new("api").unwrap();
        let id = ServiceId::new("i-1").unwrap();
        let election = ElectionName::new("reaper").unwrap();
        let plain = paths("", "", None).unwrap();
        assert_eq!(plain.instance(&name, &id), "/reception/api/i-1");
        assert_eq!(plain.candidates(&election), "/reception-elections/reaper");
        let full = paths("/team", "eu/prod", Some("/latches")).unwrap();
        assert_eq!(full.instances(&name), "/team/eu/prod/api");
        assert_eq!(full.domain(), "/team/latches/.domain");
        let guid = Uuid::nil();
        assert_eq!(
            full.candidate(&election, &id, guid),
            "/team/latches/reaper/_c_00000000-0000-0000-0000-000000000000-latch-"
        );
    }

    #[test]
    fn elections_and_services_do_not_lie_in_each_other() {
        for elections in
            ["/prod", "/prod/elections", "/", "x", "/a//b", "/a/../b", "/a/\u{7}", "/a/\u{e000}", "/\u{fffd}"]
        {
            let refused = paths("", "prod", Some(elections)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Config, "{elections}");
        }
        assert!(paths("", "prod/api", Some("/prod")).is_err());
        assert!(paths("team", "prod", None).is_err());
    }

    #[test]
    fn only_what_the_recipe_writes_is_a_candidate() {
        let guid = Uuid::nil();
        assert_eq!(sequence(&format!("_c_{guid}-latch-0000000012")), Some(12));
        assert_eq!(sequence("latch-2147483647"), Some(2_147_483_647));
        for odd in [
            "",
            "latch-",
            "_c_x-lock-0000000001",
            "latch-000000001",
            "latch-00000000011",
            "latch-0000000001x",
            "latch--000000001",
            "latch-+000000001",
        ] {
            assert_eq!(sequence(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_domain_reads_back_and_nothing_else_is_one() {
        assert_eq!(read_domain(write_domain([7; 16]).as_bytes()), Some([7; 16]));
        assert_eq!(read_domain(b"{00000000000000000000000000000000}"), None);
        assert_eq!(read_domain(b"10.0.0.7"), None);
    }
}
