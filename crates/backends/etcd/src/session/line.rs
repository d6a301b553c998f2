//! One watch stream, open until it breaks; nobody but its owner opens it again, and from which revision is the owner's to know.

#[cfg(test)]
mod tests;

use etcd_client::{
    Event, ResponseHeader, WatchOptions, WatchRequestSender, WatchResponse, WatchResponseStream,
};
use reception_core::{Error, ErrorKind, Result};

use super::{Patience, Session};
use crate::error::{self, Meaning, error};

/// What one watch of a stream looks at.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    /// Chosen by us, above zero, unlike every other on the stream.
    pub(crate) watch: i64,
    pub(crate) key: Vec<u8>,
    /// The end of a range; none for a single key.
    pub(crate) end: Option<Vec<u8>>,
    /// The first revision to tell of.
    pub(crate) from: i64,
}

/// Why a stream tells nothing any more.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    /// The server looks at this range no longer.
    Canceled { watch: i64, error: Error },
    /// The history that this watch needs is gone; it begins at `first` now.
    Compacted { watch: i64, first: i64, error: Error },
    /// The stream is broken; open another one.
    Failed(Error),
}

/// An open watch stream; its halves are used side by side.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) requests: Requests,
    pub(crate) answers: Answers,
    /// Where the store was when it began to watch. Before what its owner has read: a server that is behind, or another store.
    pub(crate) at: Position,
}

/// A place in the history of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) revision: i64,
    /// Grows with each election of a leader among the servers.
    pub(crate) term: u64,
}

impl Position {
    /// The position that an answer tells.
    pub(crate) fn of(header: Option<&ResponseHeader>) -> Self {
        header.map_or_else(Self::default, |header| Self {
            revision: header.revision(),
            term: header.raft_term(),
        })
    }

    /// Whether one history cannot show first `earlier`, then this.
    pub(crate) fn is_before(self, earlier: Self) -> bool {
        self.revision < earlier.revision || self.term < earlier.term
    }
}

/// What is asked of the server.
#[derive(Debug)]
pub(crate) struct Requests(WatchRequestSender);

/// What the server tells.
#[derive(Debug)]
pub(crate) struct Answers(WatchResponseStream);

impl Range {
    fn options(&self) -> WatchOptions {
        let options = WatchOptions::new()
            .with_watch_id(self.watch)
            .with_start_revision(self.from)
            .with_progress_notify()
            .with_fragment();
        match &self.end {
            Some(end) => options.with_range(end.clone()),
            None => options,
        }
    }
}

impl Session {
    /// Opens a stream and waits until the server watches the range.
    pub(crate) async fn open(
        &self,
        operation: &'static str,
        patience: Patience,
        range: &Range,
    ) -> Result<Line> {
        let work = |channel: &etcd_client::Client| {
            let (mut watch, range) = (channel.watch_client(), range.clone());
            async move {
                let mut stream = watch.watch(range.key.clone(), Some(range.options())).await?;
                let first = stream.message().await?;
                let silent = || etcd_client::Error::WatchError("the watch was not created".to_owned());
                let first = first.ok_or_else(silent)?;
                // A refusal comes as an answer, not as an error: as an error it takes the same way as every other.
                if first.canceled() || !first.created() {
                    return Err(etcd_client::Error::WatchError(reason(&first)));
                }
                Ok((stream, Position::of(first.header())))
            }
        };
        let (stream, at) = self.call(operation, patience, work).await?;
        let (requests, answers) = stream.split();
        Ok(Line { requests: Requests(requests), answers: Answers(answers), at })
    }
}

impl Requests {
    /// Watches one more range; whether it worked shows in the answers. Dropped before its end nothing is sent.
    pub(crate) async fn add(&mut self, range: &Range) -> Result<(), Ended> {
        self.0.watch(range.key.clone(), Some(range.options())).await.map_err(|_| closed())
    }

    /// Looks at a range no longer. Dropped before its end nothing is sent.
    pub(crate) async fn remove(&mut self, watch: i64) -> Result<(), Ended> {
        self.0.cancel(watch).await.map_err(|_| closed())
    }
}

impl Answers {
    /// The next answer. Cancel safe.
    pub(crate) async fn next(&mut self, operation: &'static str) -> Result<WatchResponse, Ended> {
        let failed = |native| Ended::Failed(error::native(operation, "watch", native));
        let Some(answer) = self.0.message().await.map_err(failed)? else { return Err(closed()) };
        if !answer.canceled() {
            return Ok(answer);
        }
        Err(canceled(operation, &answer))
    }
}

/// What the cancellation of a watch means for its stream.
fn canceled(operation: &'static str, answer: &WatchResponse) -> Ended {
    let (watch, reason) = (answer.watch_id(), reason(answer));
    let error = match error::of_reason(&reason) {
        Meaning::Compacted => {
            let error =
                error(ErrorKind::Unavailable, operation, "the history since the last change was compacted");
            return Ended::Compacted { watch, first: answer.compact_revision(), error };
        }
        // A stream keeps the token that it was opened with; the next one is opened with another, at once.
        Meaning::StaleToken => error(ErrorKind::Unavailable, operation, reason),
        _ => error::native(operation, "watch", etcd_client::Error::WatchError(reason)),
    };
    Ended::Canceled { watch, error }
}

fn closed() -> Ended {
    Ended::Failed(error(ErrorKind::Unavailable, "watch", "the server ended the watch"))
}

fn reason(answer: &WatchResponse) -> String {
    if answer.compact_revision() > 0 {
        return format!("compacted up to revision {}", answer.compact_revision());
    }
    let told = answer.cancel_reason();
    if told.is_empty() { "the server canceled the watch".to_owned() } else { told.to_owned() }
}

/// Whether the event is a removal. Read from the record: asking the library for the event's type panics on one it does not know.
pub(crate) fn is_gone(event: &Event) -> bool {
    event.kv().is_none_or(|kv| kv.version() == 0)
}
