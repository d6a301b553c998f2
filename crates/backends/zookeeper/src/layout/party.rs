//! The places of party: Curator's record under `/ENV/instances`.

use reception_core::{Result, Service, ServiceId, ServiceName};

use super::{Curator, Layout};

/// Curator's records where the Clojure library party looks for them: at `/ENV/instances/NAME/ID`, `ENV` being the URL's path in lower case.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Party {
    /// What the records look like.
    pub curator: Curator,
}

impl Party {
    /// Writes records as `curator` says.
    #[must_use]
    pub fn new(curator: Curator) -> Self {
        Self { curator }
    }
}

impl Layout for Party {
    fn base(&self, path: &str) -> String {
        format!("/{}/instances", path.to_lowercase())
    }

    fn encode(&self, service: &Service) -> Result<Vec<u8>> {
        self.curator.encode(service)
    }

    fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service> {
        self.curator.decode(name, id, record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_where_party_looks() {
        assert_eq!(Party::default().base("Staging"), "/staging/instances");
    }
}
