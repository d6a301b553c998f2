//! One upstream watch: what a backend brings, and the task that follows it.

use std::future::Future;

use reception_core::{Clock, Error, Moment, Result};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    deadline::sleep_until,
    follow::{Action, Follow, Input},
    hub::Publisher,
    signal,
    view::View,
};

/// One watch on a store.
///
/// One method runs at a time, in the order list, resume, next; after a break resume, or list first.
/// `list` and `resume` are bounded in time. Any of them may be dropped when the last reader leaves.
pub trait Source: Send + 'static {
    /// What it carries; [`Snapshot`](reception_core::Snapshot) with instances of any status, or
    /// [`Holder`](crate::Holder).
    type View: View;

    /// Reads the whole view consistently and remembers its position.
    ///
    /// # Errors
    ///
    /// What law L5 names ends the watch; after any other error the view is stale and is read again.
    ///
    /// # Cancel safety
    ///
    /// Dropped only together with the source.
    fn list(&mut self) -> impl Future<Output = Result<Self::View>> + Send;

    /// Opens the stream of changes from the position; everything missed since is one delta.
    ///
    /// # Errors
    ///
    /// [`Break::Gap`] when changes after the position are lost, else [`Break::Failed`].
    ///
    /// # Cancel safety
    ///
    /// Dropped only together with the source.
    fn resume(&mut self) -> impl Future<Output = Result<<Self::View as View>::Delta, Break>> + Send;

    /// Waits for the next change, or those of one store message composed.
    ///
    /// # Errors
    ///
    /// As [`resume`](Source::resume).
    ///
    /// # Cancel safety
    ///
    /// Dropped only together with the source.
    fn next(&mut self) -> impl Future<Output = Result<<Self::View as View>::Delta, Break>> + Send;
}

/// Why a stream of changes broke.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Break {
    /// Changes after the position are lost: list again.
    Gap(Error),
    /// The position is still good: resume after a pause.
    Failed(Error),
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    List,
    Resume,
    Next,
    Pause,
}

pub(crate) struct Upstream<S> {
    pub(crate) source: S,
    pub(crate) clock: Clock,
    pub(crate) backoff: Backoff,
    pub(crate) closing: CancellationToken,
    /// Cancelled when the last reader has left.
    pub(crate) stop: CancellationToken,
    pub(crate) signal: signal::Watch,
}

impl<S: Source> Upstream<S> {
    pub(crate) async fn run<K: Ord + Send>(mut self, publisher: Publisher<K, S::View>) {
        let mut machine = Follow::new(self.backoff.clone());
        let mut actions = machine.begin();
        loop {
            let mut operation = Operation::Pause;
            for action in actions {
                match action {
                    Action::List => operation = Operation::List,
                    Action::Resume => operation = Operation::Resume,
                    Action::Next => operation = Operation::Next,
                    Action::Broken(error) => self.signal.broken(&error),
                    Action::Publish(event) => {
                        self.signal.published(&event);
                        publisher.publish(&event);
                    }
                    Action::End(error) => return publisher.end(error),
                }
            }
            let input = tokio::select! {
                biased;
                // The publisher's Drop tells every reader Closed.
                () = self.closing.cancelled() => return,
                () = self.stop.cancelled() => return,
                input = perform(&mut self.source, operation, &self.clock, machine.deadline()) => input,
            };
            actions = machine.step(input, self.clock.now());
        }
    }
}

async fn perform<S: Source>(
    source: &mut S,
    operation: Operation,
    clock: &Clock,
    deadline: Moment,
) -> Input<S::View> {
    match operation {
        Operation::List => Input::Listed(source.list().await),
        Operation::Resume => Input::Resumed(source.resume().await),
        Operation::Next => Input::Changed(source.next().await),
        Operation::Pause => {
            sleep_until(clock, deadline).await;
            Input::Tick
        }
    }
}
