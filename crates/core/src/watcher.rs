//! Watching a service: a stream of views and of their differences.

use std::fmt;

use futures_core::Stream;

use crate::{
    error::{Error, Result},
    patch::Patch,
    snapshot::Snapshot,
};

/// A watch of one service: a stream whose items say what the service now is.
///
/// It holds nothing that outlives the client's close; dropping it is enough. The stream ends only after an `Err` of kind Closed, Unsupported,
/// NoRuntime or Internal (law L5); everything else that goes wrong is a [`Change::Stale`].
pub trait Watcher: Stream<Item = Result<Change>> + fmt::Debug + Send + Unpin {
    /// The view after the last item handed out; none before the first good one.
    fn current(&self) -> Option<&Snapshot>;
}

/// One item of a watch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// The whole view: first (L2), after any gap, and always the next good item after `Stale`, possibly equal to the view (L4).
    Reset(Snapshot),
    /// The difference to the view before; several changes of a slow reader come as one.
    Patch(Patch),
    /// The view may be old; keep using it (L4).
    Stale(Error),
}
