//! The kinds of store that runs take place on.

/// What a URL leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// This process alone.
    Memory,
    Etcd,
    ZooKeeper,
    /// One agent; there is no floor, since nobody else's library does the same.
    Consul,
}

impl Store {
    /// The store of a URL: `SCHEME:` starts one, where it is a server.
    pub(crate) fn of(url: &str) -> Option<Self> {
        [Self::Memory, Self::Etcd, Self::ZooKeeper, Self::Consul]
            .into_iter()
            .find(|store| url.strip_prefix(store.scheme()).is_some_and(|rest| rest.starts_with(':')))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Etcd => "etcd",
            Self::ZooKeeper => "zookeeper",
            Self::Consul => "consul",
        }
    }

    pub(crate) const fn scheme(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Etcd => "etcd",
            Self::ZooKeeper => "zk",
            Self::Consul => "consul",
        }
    }

    /// The port of a URL that names none.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Memory => 0,
            Self::Etcd => 2379,
            Self::ZooKeeper => 2181,
            Self::Consul => 8500,
        }
    }

    /// The options of a client whose leases are so long, in seconds.
    pub(crate) fn lease(self, seconds: usize) -> String {
        match self {
            Self::Consul => format!("?ttl={seconds}s&election_ttl={seconds}s"),
            Self::Memory | Self::Etcd | Self::ZooKeeper => format!("?ttl={seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_store() {
        assert_eq!(Store::of("zk://h1:2181/x"), Some(Store::ZooKeeper));
        assert_eq!(Store::of("zk:"), Some(Store::ZooKeeper));
        assert_eq!(Store::of("etcd://h1"), Some(Store::Etcd));
        assert_eq!(Store::of("memory:"), Some(Store::Memory));
        assert_eq!(Store::of("consul://h1"), Some(Store::Consul));
        assert_eq!(Store::of("redis://h1"), None);
        assert_eq!(Store::of("zk"), None);
    }
}
