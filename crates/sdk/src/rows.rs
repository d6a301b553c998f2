//! The table of backends: one row each, real or absent.

use reception_core::{Backend, Dialer};

#[cfg(feature = "etcd")]
const ETCD: Backend = reception_etcd::BACKEND;
#[cfg(not(feature = "etcd"))]
const ETCD: Backend = ETCD_ABSENT;
const ETCD_ABSENT: Backend = Backend::absent("etcd", &["etcd", "etcd+https"], "etcd");

#[cfg(feature = "memory")]
const MEMORY: Backend = reception_memory::BACKEND;
#[cfg(not(feature = "memory"))]
const MEMORY: Backend = MEMORY_ABSENT;
const MEMORY_ABSENT: Backend = Backend::absent("memory", &["memory"], "memory");

#[cfg(feature = "local")]
const LOCAL: Backend = reception_local::BACKEND;
#[cfg(not(feature = "local"))]
const LOCAL: Backend = LOCAL_ABSENT;
const LOCAL_ABSENT: Backend = Backend::absent("local", &["local"], "local");

#[cfg(feature = "static")]
const STATIC: Backend = reception_static::BACKEND;
#[cfg(not(feature = "static"))]
const STATIC: Backend = STATIC_ABSENT;
const STATIC_ABSENT: Backend = Backend::absent("static", &["static"], "static");

#[cfg(feature = "zookeeper")]
const ZOOKEEPER: Backend = reception_zookeeper::BACKEND;
#[cfg(not(feature = "zookeeper"))]
const ZOOKEEPER: Backend = ZOOKEEPER_ABSENT;
const ZOOKEEPER_ABSENT: Backend = Backend::absent("zookeeper", &["zk", "zk+tls"], "zookeeper");

#[cfg(feature = "consul")]
const CONSUL: Backend = reception_consul::BACKEND;
#[cfg(not(feature = "consul"))]
const CONSUL: Backend = CONSUL_ABSENT;
const CONSUL_ABSENT: Backend = Backend::absent("consul", &["consul", "consul+tls"], "consul");

#[cfg(feature = "exhibitor")]
const EXHIBITOR: Backend = reception_exhibitor::BACKEND;
#[cfg(not(feature = "exhibitor"))]
const EXHIBITOR: Backend = EXHIBITOR_ABSENT;
const EXHIBITOR_ABSENT: Backend = Backend::absent("exhibitor", &["exhibitor", "exhibitor+tls"], "exhibitor");

/// Each backend of the facade, and how it reads when it is compiled out.
const ROWS: &[(Backend, Backend)] = &[
    (ETCD, ETCD_ABSENT),
    (MEMORY, MEMORY_ABSENT),
    (LOCAL, LOCAL_ABSENT),
    (STATIC, STATIC_ABSENT),
    (ZOOKEEPER, ZOOKEEPER_ABSENT),
    (CONSUL, CONSUL_ABSENT),
    (EXHIBITOR, EXHIBITOR_ABSENT),
];

/// A dialer with every backend of the facade; add your own with [`Dialer::with`]. One that is compiled out names its feature.
///
/// ```
/// let schemes: Vec<_> = reception::dialer().backends().iter().flat_map(|row| row.schemes()).copied().collect();
/// assert!(schemes.contains(&"memory") && schemes.contains(&"etcd"));
/// ```
#[must_use]
pub fn dialer() -> Dialer {
    // No two rows claim one scheme, which a test holds, so a row is never left out.
    ROWS.iter().fold(Dialer::new(), |dialer, (row, _)| dialer.clone().with(*row).unwrap_or(dialer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reception_core::{DialUrl, OptionSpec};

    #[test]
    fn every_row_is_in_the_dialer() {
        assert_eq!(dialer().backends().len(), ROWS.len());
    }

    #[test]
    fn an_absent_row_says_what_the_real_one_says() {
        for (row, absent) in ROWS {
            assert_eq!((row.name(), row.schemes()), (absent.name(), absent.schemes()));
            assert!(absent.feature().is_some());
        }
    }

    #[test]
    fn every_example_parses_and_keeps_to_its_own_options() {
        for (row, _) in ROWS.iter().filter(|(row, _)| row.feature().is_none()) {
            let url: DialUrl = row.example().parse().unwrap();
            assert!(row.schemes().contains(&url.scheme()), "{url}");
            url.check(row.options()).unwrap();
        }
    }

    #[test]
    fn the_readme_of_a_backend_has_its_options_as_they_are_declared() {
        for (row, _) in ROWS.iter().filter(|(row, _)| row.feature().is_none()) {
            let folder = format!("{}/../backends/{}", env!("CARGO_MANIFEST_DIR"), row.name());
            let readme = std::fs::read_to_string(format!("{folder}/README.md")).unwrap();
            let table: Vec<String> = row.options().iter().map(OptionSpec::row).collect();
            assert!(readme.contains(&table.join("\n")), "{folder} must hold:\n{}", table.join("\n"));
        }
    }
}
