//! Paths and records: the contract with other programs on the same store.
//!
//! ```text
//! BASE/NAME/ID                             an instance, ephemeral
//! ELECTIONS/NAME/_c_UUID-latch-SEQUENCE    a candidate, ephemeral
//! ELECTIONS/.domain                        the domain of tokens; no election has a leading dot
//! ```
//!
//! What an instance's record looks like is one [`Layout`], one file each.

mod curator;
mod party;

use std::{fmt, sync::Arc};

use reception_core::{ElectionName, ErrorKind, Result, Service, ServiceId, ServiceName};
use uuid::Uuid;

pub use curator::{Curator, Payload};
pub use party::Party;

use crate::error::error;

/// What candidates of this recipe have before their sequence number, as Curator's `LeaderLatch` writes it.
const LATCH: &str = "latch-";
const SEQUENCE: usize = 10;
const DOMAIN: &str = ".domain";
const NAMESPACE: &str = "reception";

/// How instances look in the tree: give your own to [`Options::layout`](crate::Options::layout).
///
/// An instance stands at `BASE/NAME/ID`, ephemeral; a layout says what `BASE` is and what the record holds.
///
/// ```
/// use reception_core::{Result, Service, ServiceId, ServiceName};
/// use reception_zookeeper::{Layout, Options};
///
/// /// The address alone, as text.
/// #[derive(Debug)]
/// struct Plain;
///
/// impl Layout for Plain {
///     fn base(&self, path: &str) -> String {
///         format!("/plain/{path}")
///     }
///
///     fn encode(&self, service: &Service) -> Result<Vec<u8>> {
///         let service = service.to_builder().build()?;
///         Ok(service.address().as_bytes().to_vec())
///     }
///
///     fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service> {
///         let address = String::from_utf8_lossy(record);
///         Service::builder_of(name, id, &address, 80).build_foreign()
///     }
/// }
///
/// let options = Options::new(["h1"]).namespace("prod").layout(Plain);
/// ```
pub trait Layout: fmt::Debug + Send + Sync + 'static {
    /// The absolute path under which the services stand; `path` is the URL's, without a slash at its ends.
    fn base(&self, path: &str) -> String;

    /// The record of an instance, the same bytes for equal instances.
    ///
    /// # Errors
    ///
    /// InvalidName, InvalidInstance or TooLarge for what this layout does not write (law L15).
    fn encode(&self, service: &Service) -> Result<Vec<u8>>;

    /// Reads a record, also one that another program wrote.
    ///
    /// # Errors
    ///
    /// Any error counts the record as unreadable (law L16).
    fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service>;
}

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
        format!("{}/{name}", self.base)
    }

    pub(crate) fn instance(&self, name: &ServiceName, id: &ServiceId) -> String {
        format!("{}/{name}/{id}", self.base)
    }

    /// Where the candidates of an election stand.
    pub(crate) fn candidates(&self, name: &ElectionName) -> String {
        format!("{}/{name}", self.elections)
    }

    /// What a candidate's path begins with; the server adds the sequence number.
    pub(crate) fn candidate(&self, name: &ElectionName, guid: Uuid) -> String {
        format!("{}/{name}/_c_{guid}-{LATCH}", self.elections)
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

/// The sequence number of a candidate; `None` for what is no candidate of this recipe.
pub(crate) fn sequence(child: &str) -> Option<u32> {
    let (_, digits) = child.rsplit_once(LATCH)?;
    let plain = digits.len() == SEQUENCE && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
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
            full.candidate(&election, guid),
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
