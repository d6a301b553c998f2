//! Where records lie in the store: the contract with every other reader of it.
//!
//! This is the layout of docs/wire/record.md, for stores where the records are ours.

use reception_core::{ElectionName, ServiceId, ServiceName};

/// The places of one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Empty, or ends in a slash.
    namespace: String,
}

impl Layout {
    /// Takes the path of a URL; slashes around it do not count.
    pub(crate) fn new(path: &str) -> Self {
        let path = path.trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        Self { namespace: format!("{path}{slash}") }
    }

    /// Of all services.
    pub(crate) fn services(&self) -> String {
        format!("{}services/", self.namespace)
    }

    /// Of the instances of one service; the slash at its end keeps `web` apart from `web2`.
    pub(crate) fn instances(&self, name: &ServiceName) -> String {
        format!("{}{name}/", self.services())
    }

    /// Of one instance.
    pub(crate) fn instance(&self, name: &ServiceName, id: &ServiceId) -> String {
        format!("{}{id}", self.instances(name))
    }

    /// Of the candidates of one election.
    pub(crate) fn candidates(&self, name: &ElectionName) -> String {
        format!("{}elections/{name}/", self.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_places() {
        let layout = Layout::new("/prod");
        let (name, id) = (ServiceName::new("api").unwrap(), ServiceId::new("a-1").unwrap());
        assert_eq!(layout.instance(&name, &id), "prod/services/api/a-1");
        assert_eq!(layout.candidates(&ElectionName::new("reaper").unwrap()), "prod/elections/reaper/");
        assert_eq!(Layout::new("").services(), "services/");
    }
}
