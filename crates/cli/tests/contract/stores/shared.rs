//! What is one for all that leave it alone, and a namespace for each case.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use reception_lab::Result;
use tokio::sync::OnceCell;

/// The server that cases share; it ends with the test process.
pub(super) struct Shared<S>(OnceCell<Arc<S>>);

impl<S: Send + Sync> Shared<S> {
    pub(super) const fn new() -> Self {
        Self(OnceCell::const_new())
    }

    /// The one that all share, or an own one for a case that breaks it.
    pub(super) async fn get(
        &self,
        own: bool,
        start: impl Future<Output = Result<S>> + Send,
    ) -> Result<Arc<S>> {
        let started = async { start.await.map(Arc::new) };
        if own { started.await } else { self.0.get_or_try_init(|| started).await.cloned() }
    }
}

/// A namespace that no other case has.
pub(super) fn namespace() -> String {
    static PLACES: AtomicU32 = AtomicU32::new(0);
    format!("contract-{}", PLACES.fetch_add(1, Ordering::Relaxed))
}
