//! Where records lie in the store: the layout of `docs/wire/record.md`, as other stores with our own records have it.

use reception_core::{ElectionName, Result, ServiceId, ServiceName};

use crate::error::config;

/// The part of a store that the clients of one path share, with a slash at its end: `a/b/`, without a path `reception/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespace(String);

impl Namespace {
    /// Takes the path of a URL; slashes at both ends and doubled ones do not count.
    pub(crate) fn parse(path: &str) -> Result<Self> {
        let mut place = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            ServiceName::new(part).map_err(|error| config(format!("namespace: {}", error.context())))?;
            place.push_str(part);
            place.push('/');
        }
        if place.is_empty() {
            place.push_str("reception/");
        }
        Ok(Self(place))
    }

    /// The folder of all services.
    pub(crate) fn services(&self) -> String {
        format!("{}services/", self.0)
    }

    /// The folder of one service's instances.
    pub(crate) fn service(&self, name: &ServiceName) -> String {
        format!("{}services/{name}/", self.0)
    }

    /// The record of one instance.
    pub(crate) fn instance(&self, name: &ServiceName, id: &ServiceId) -> String {
        format!("{}services/{name}/{id}", self.0)
    }

    /// The folder of one election's candidates.
    pub(crate) fn election(&self, name: &ElectionName) -> String {
        format!("{}elections/{name}/", self.0)
    }

    /// The record of the random id that tells these data from other data.
    pub(crate) fn domain(&self) -> String {
        format!("{}domain", self.0)
    }

    /// The path without slashes at its ends.
    pub(crate) fn path(&self) -> &str {
        self.0.trim_end_matches('/')
    }

    /// Whether a record of services, candidates or the domain lies in this namespace.
    pub(crate) fn holds(&self, key: &str) -> bool {
        key.strip_prefix(&self.0).is_some_and(|rest| {
            rest == "domain" || rest.starts_with("services/") || rest.starts_with("elections/")
        })
    }
}

/// The candidate of a lease, as it stands in an election's folder.
pub(crate) fn candidate(folder: &str, lease: u64) -> String {
    format!("{folder}{lease:x}")
}

/// The folder that a record lies in, with its slash.
pub(crate) fn folder(key: &str) -> &str {
    key.rfind('/').map_or("", |slash| &key[..=slash])
}

/// The last part of a record's place, when it lies in this folder itself.
pub(crate) fn tail<'a>(folder: &str, key: &'a str) -> Option<&'a str> {
    key.strip_prefix(folder).filter(|rest| !rest.is_empty() && !rest.contains('/'))
}

/// Whether this is the folder of one service's instances.
pub(crate) fn is_service_folder(scope: &str) -> bool {
    scope.strip_suffix('/').is_some_and(|place| {
        let mut parts = place.rsplit('/');
        parts.next().is_some() && parts.next() == Some("services")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lie_where_the_layout_says() {
        let space = Namespace::parse("/prod/eu/").unwrap();
        let name = ServiceName::new("api").unwrap();
        assert_eq!(space.service(&name), "prod/eu/services/api/");
        assert_eq!(space.instance(&name, &ServiceId::new("i-1").unwrap()), "prod/eu/services/api/i-1");
        assert_eq!(
            candidate(&space.election(&ElectionName::new("reaper").unwrap()), 10),
            "prod/eu/elections/reaper/a"
        );
        assert_eq!(space.domain(), "prod/eu/domain");
        assert_eq!(Namespace::parse("").unwrap().service(&name), "reception/services/api/");
    }

    #[test]
    fn odd_paths_are_refused() {
        for path in ["../x", "a b", ".hidden", "a/..", "a%2fb"] {
            assert!(Namespace::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn only_the_folder_of_a_service_counts_as_one() {
        assert!(is_service_folder("prod/services/api/"));
        assert!(is_service_folder("services/api/"));
        assert!(!is_service_folder("prod/elections/api/"));
        assert!(!is_service_folder("prod/services/api/i-1"));
    }
}
