//! The watch of a list: the whole of it, and then nothing.

use reception_core::{Patch, Result, Snapshot};
use reception_kit::{Break, Source};

/// A view that never changes.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Snapshot);

impl Source for Fixed {
    type View = Snapshot;

    async fn list(&mut self) -> Result<Snapshot> {
        Ok(self.0.clone())
    }

    async fn resume(&mut self) -> Result<Patch, Break> {
        Ok(Patch::new(self.0.revision(), [], []))
    }

    async fn next(&mut self) -> Result<Patch, Break> {
        std::future::pending().await
    }
}
