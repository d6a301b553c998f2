//! What the tests of the tasks share.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use reception_core::{Clock, Error, ErrorKind, Moment, Service};
use tokio::time::Instant;

/// A clock that moves with the paused time of the current runtime.
pub(crate) fn clock() -> Clock {
    let start = Instant::now();
    Clock::from_fn(move || Moment::from_duration(Duration::from_secs(1_000) + start.elapsed()))
}

pub(crate) fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "test", "scripted", "scripted")
}

pub(crate) fn service(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Waits until `probe` holds; fails after a minute of paused time.
pub(crate) async fn eventually(what: &str, mut probe: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if probe() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{what}: not within a minute");
}

/// When a future is dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DropAt {
    /// Right after this poll.
    After(usize),
    /// When it was woken to be polled once more than this.
    Woken(usize),
}

/// Polls `work` until its drop is due; its output when it ends before.
pub(crate) async fn drop_at<F: Future>(work: F, at: DropAt) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut polls = 0;
    poll_fn(|context| {
        if matches!(at, DropAt::Woken(most) | DropAt::After(most) if polls >= most) {
            return Poll::Ready(None);
        }
        polls += 1;
        match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if matches!(at, DropAt::After(most) if polls >= most) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
