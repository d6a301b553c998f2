//! Keys: the contract with every other reader of the store.
//!
//! ```text
//! NAMESPACE/services/NAME/ID              an instance, value = record
//! NAMESPACE/elections/NAME/LEASEHEX       a candidate, value = record; what Go's concurrency.Election and etcdctl elect use
//! NAMESPACE/domain                        32 hex digits, the domain of every token
//! NAMESPACE/gone/GUID                     no write of this registration may land any more
//! ```

use reception_core::{ElectionName, ErrorKind, Result, ServiceId, ServiceName};

use crate::error::error;

const DEFAULT: &str = "reception";

/// The keys of one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Ends in a slash.
    namespace: String,
}

impl Layout {
    /// Takes a namespace: names joined by slashes, none at the ends; an empty one is `reception`.
    pub(crate) fn new(namespace: &str) -> Result<Self> {
        let parts: Vec<&str> = namespace.split('/').filter(|part| !part.is_empty()).collect();
        for part in &parts {
            ServiceName::new(part).map_err(|wrong| {
                error(ErrorKind::Config, "dial", format!("namespace: {}", wrong.context()))
            })?;
        }
        let joined = if parts.is_empty() { DEFAULT.to_owned() } else { parts.join("/") };
        Ok(Self { namespace: format!("{joined}/") })
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The prefix of all instances of all services.
    pub(crate) fn services(&self) -> String {
        format!("{}services/", self.namespace)
    }

    /// The prefix of the instances of one service; the slash at its end keeps `web` apart from `web2`.
    pub(crate) fn instances(&self, name: &ServiceName) -> String {
        format!("{}services/{name}/", self.namespace)
    }

    pub(crate) fn instance(&self, name: &ServiceName, id: &ServiceId) -> String {
        format!("{}services/{name}/{id}", self.namespace)
    }

    /// The prefix of the candidates of one election.
    pub(crate) fn candidates(&self, name: &ElectionName) -> String {
        format!("{}elections/{name}/", self.namespace)
    }

    /// The lease in hex without leading zeros, as Go's recipe writes it.
    pub(crate) fn candidate(&self, name: &ElectionName, lease: i64) -> String {
        format!("{}elections/{name}/{lease:x}", self.namespace)
    }

    pub(crate) fn domain(&self) -> String {
        format!("{}domain", self.namespace)
    }

    pub(crate) fn gone(&self, guid: &str) -> String {
        format!("{}gone/{guid}", self.namespace)
    }
}

/// The end of the range of all keys that start with `prefix`, which ends in a slash.
pub(crate) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// The id that a key under `prefix` stands for; `None` is a key of somebody else's layout.
pub(crate) fn id_of(prefix: &str, key: &[u8]) -> Option<ServiceId> {
    let id = std::str::from_utf8(key.strip_prefix(prefix.as_bytes())?).ok()?;
    if id.contains('/') {
        return None;
    }
    ServiceId::foreign(id).ok()
}

/// The service that a key under the services' prefix belongs to.
pub(crate) fn name_of<'a>(services: &str, key: &'a [u8]) -> Option<&'a str> {
    let rest = std::str::from_utf8(key.strip_prefix(services.as_bytes())?).ok()?;
    rest.split_once('/').map(|(name, _)| name)
}

/// A domain as it is stored.
pub(crate) fn write_domain(domain: [u8; 16]) -> String {
    domain.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A stored domain; zero when absent or written by somebody who did not know its form.
pub(crate) fn read_domain(value: Option<&[u8]>) -> [u8; 16] {
    let read = || {
        let text = std::str::from_utf8(value?).ok()?.trim();
        if text.len() != 32 || !text.bytes().all(|letter| letter.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_keys() {
        let layout = Layout::new("/prod").unwrap();
        let name = ServiceName::new("api").unwrap();
        let id = ServiceId::new("a-1").unwrap();
        let election = ElectionName::new("reaper").unwrap();
        assert_eq!(layout.instance(&name, &id), "prod/services/api/a-1");
        assert_eq!(layout.instances(&name), "prod/services/api/");
        assert_eq!(layout.candidate(&election, 0x00ab_cdef), "prod/elections/reaper/abcdef");
        assert_eq!(layout.domain(), "prod/domain");
        assert_eq!(layout.gone("77"), "prod/gone/77");
        assert_eq!(end_of("prod/services/api/"), b"prod/services/api0");
    }

    #[test]
    fn a_namespace_always_ends_in_one_slash() {
        for (path, namespace) in [("", "reception/"), ("/", "reception/"), ("/a", "a/"), ("/a//b/", "a/b/")] {
            assert_eq!(Layout::new(path).unwrap().namespace(), namespace, "{path}");
        }
        for path in ["/a/../b", "/.", "/a b", "/a\nb"] {
            assert_eq!(Layout::new(path).unwrap_err().kind(), ErrorKind::Config, "{path}");
        }
    }

    #[test]
    fn keys_of_another_layout_have_no_id() {
        let prefix = "r/services/api/";
        assert_eq!(id_of(prefix, b"r/services/api/x").unwrap().as_str(), "x");
        assert!(id_of(prefix, b"r/services/api/x/y").is_none());
        assert!(id_of(prefix, b"r/services/api/").is_none());
        assert!(id_of(prefix, b"r/services/api/\xff").is_none());
        assert_eq!(name_of("r/services/", b"r/services/api/x"), Some("api"));
        assert_eq!(name_of("r/services/", b"r/services/api"), None);
    }

    #[test]
    fn a_domain_survives_the_store() {
        let domain = *b"0123456789abcdef";
        assert_eq!(read_domain(Some(write_domain(domain).as_bytes())), domain);
        assert_eq!(read_domain(None), [0; 16]);
        assert_eq!(read_domain(Some(b"not a domain")), [0; 16]);
    }
}
