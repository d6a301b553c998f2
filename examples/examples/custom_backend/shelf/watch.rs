//! Watching: look at the shelf whenever the bell rings, and tell what is different.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use futures_util::{StreamExt, stream};
use reception_core::{BoxStream, Change, Result, ServiceName, Snapshot, Watcher};

use super::{client::Inner, closed};

pub(super) struct ShelfWatcher {
    looks: BoxStream<Result<Snapshot>>,
    view: Option<Snapshot>,
}

impl ShelfWatcher {
    pub(super) fn new(inner: &Arc<Inner>, name: &ServiceName, any_status: bool) -> Self {
        let (shelf, name) = (Arc::clone(&inner.shelf), name.clone());
        Self { looks: looks(inner, "watch", move || shelf.snapshot(&name, any_status)), view: None }
    }
}

/// What `look` sees now, and again each time the bell has rung; rings while nobody polls count as one. After the client's
/// close: one error, then the end (law L5).
pub(super) fn looks<T: Send + 'static>(
    inner: &Arc<Inner>,
    operation: &'static str,
    look: impl Fn() -> T + Send + 'static,
) -> BoxStream<Result<T>> {
    let mut bell = inner.shelf.bell();
    bell.mark_changed();
    let state = Some((Arc::clone(inner), bell, look));
    let looks = stream::unfold(state, move |state| async move {
        let (inner, mut bell, look) = state?;
        tokio::select! {
            biased;
            () = inner.closing.cancelled() => Some((Err(closed(operation)), None)),
            _ = bell.changed() => {
                let seen = look();
                Some((Ok(seen), Some((inner, bell, look))))
            }
        }
    });
    Box::pin(looks.fuse())
}

impl Stream for ShelfWatcher {
    type Item = Result<Change>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = match ready!(self.looks.as_mut().poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(next)) => next,
            };
            let Some(view) = self.view.replace(next.clone()) else {
                return Poll::Ready(Some(Ok(Change::Reset(next))));
            };
            let patch = view.diff(&next);
            if !patch.is_empty() {
                return Poll::Ready(Some(Ok(Change::Patch(patch))));
            }
        }
    }
}

impl Watcher for ShelfWatcher {
    fn current(&self) -> Option<&Snapshot> {
        self.view.as_ref()
    }
}

impl fmt::Debug for ShelfWatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShelfWatcher").field("view", &self.view).finish_non_exhaustive()
    }
}
