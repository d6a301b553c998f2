//! Drops a future at its n-th poll, for every n until it completes.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// More polls than any call takes; a future that needs more is not driven further.
pub(crate) const MOST_POLLS: usize = 48;

/// Runs a future, but drops it in the poll after `polls` of them have said Pending.
///
/// Yields `None` when it was dropped. With 0 the future is dropped without a poll.
#[derive(Debug)]
#[must_use]
pub(crate) struct DropAt<F> {
    future: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> DropAt<F> {
    pub(crate) fn new(polls: usize, future: F) -> Self {
        Self { future: Some(Box::pin(future)), polls }
    }
}

impl<F: Future> Future for DropAt<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.polls > 0 {
            let Some(future) = &mut this.future else { return Poll::Ready(None) };
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                this.future = None;
                return Poll::Ready(Some(value));
            }
            this.polls -= 1;
        }
        if this.polls > 0 {
            return Poll::Pending;
        }
        // Dropped here and now: a wake between this poll and the drop must not be needed.
        this.future = None;
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Arc};

    use super::*;

    fn three_polls(kept: Arc<()>) -> impl Future<Output = usize> {
        let mut left = 3;
        poll_fn(move |context| {
            context.waker().wake_by_ref();
            left -= 1;
            if left == 0 { Poll::Ready(Arc::strong_count(&kept)) } else { Poll::Pending }
        })
    }

    #[tokio::test]
    async fn it_drops_at_the_nth_poll_and_completes_past_the_last() {
        for polls in 0..3 {
            let kept = Arc::new(());
            assert_eq!(DropAt::new(polls, three_polls(Arc::clone(&kept))).await, None, "{polls}");
            assert_eq!(Arc::strong_count(&kept), 1, "{polls}");
        }
        assert_eq!(DropAt::new(3, three_polls(Arc::default())).await, Some(1));
    }
}
