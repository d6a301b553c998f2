//! The set of backends that a program can dial.

use std::sync::Arc;

use super::{backend::Backend, config, url::DialUrl};
use crate::{
    client::Client,
    error::{CORE, Error, ErrorKind, Result},
};

/// Dials URLs with the backends that it was given. The facade has one with all that are compiled in.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    backends: Vec<Backend>,
}

impl Dialer {
    /// A dialer that knows no backend.
    #[must_use]
    pub const fn new() -> Self {
        Self { backends: Vec::new() }
    }

    /// Adds a backend.
    ///
    /// # Errors
    /// Conflict when one of its schemes is taken.
    pub fn with(mut self, backend: Backend) -> Result<Self> {
        for scheme in backend.schemes() {
            if let Some(holder) = self.holder(scheme) {
                let context =
                    format!("scheme \"{scheme}\" of {} is taken by {}", backend.name(), holder.name());
                return Err(Error::new(ErrorKind::Conflict, CORE, "dial", context));
            }
        }
        self.backends.push(backend);
        Ok(self)
    }

    /// The backends, in the order in which they were added.
    #[must_use]
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// Checks the URL, its options and the files that they name, and starts a client. It does not wait for the store.
    ///
    /// # Errors
    /// Config for a URL, option or file that is wrong and for an unknown scheme; Unsupported for a backend that is compiled out, with the
    /// feature's name; NoRuntime outside a runtime that the backend needs.
    ///
    /// # Cancel safety
    /// Safe: dropping the future leaves nothing.
    pub async fn dial(&self, url: &str) -> Result<Arc<dyn Client>> {
        let url: DialUrl = url.parse()?;
        let Some(backend) = self.holder(url.scheme()) else {
            let known: Vec<&str> = self.backends.iter().flat_map(Backend::schemes).copied().collect();
            return Err(config(format!(
                "unknown scheme \"{}\" (schemes: {})",
                url.scheme(),
                known.join(", ")
            )));
        };
        backend.dial(url).await
    }

    fn holder(&self, scheme: &str) -> Option<&Backend> {
        self.backends.iter().find(|backend| backend.schemes().contains(&scheme))
    }
}
