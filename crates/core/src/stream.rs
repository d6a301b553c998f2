//! A stream of the values of a watch channel.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::sync::watch;

/// A boxed stream.
pub type BoxStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

type Step<T> = Pin<Box<dyn Future<Output = (watch::Receiver<T>, Option<T>)> + Send>>;

/// Yields the present value, then each later one (the latest wins), and ends after the first that `is_last`.
pub(crate) struct Values<T> {
    step: Option<Step<T>>,
    is_last: fn(&T) -> bool,
}

impl<T: Clone + Send + Sync + 'static> Values<T> {
    pub(crate) fn new(mut receiver: watch::Receiver<T>, is_last: fn(&T) -> bool) -> Self {
        receiver.mark_changed();
        Self { step: Some(Box::pin(step(receiver))), is_last }
    }
}

async fn step<T: Clone + Send + Sync>(mut receiver: watch::Receiver<T>) -> (watch::Receiver<T>, Option<T>) {
    if receiver.changed().await.is_err() {
        return (receiver, None);
    }
    let value = receiver.borrow_and_update().clone();
    (receiver, Some(value))
}

impl<T: Clone + Send + Sync + 'static> Stream for Values<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(waiting) = self.step.as_mut() else { return Poll::Ready(None) };
        let (receiver, value) = ready!(waiting.as_mut().poll(cx));
        let over = value.as_ref().is_none_or(self.is_last);
        self.step = (!over).then(|| Box::pin(step(receiver)) as Step<T>);
        Poll::Ready(value)
    }
}

impl<T> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("over", &self.step.is_none()).finish()
    }
}
