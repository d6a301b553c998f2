//! A reader of a stream that holds every item against the laws L2 to L5 while a case waits for its own.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use reception_core::{
    BoxStream, Change, Client, Elector, Error, ErrorKind, FencingToken, Observation, Service, Snapshot,
    WatchOptions, Watcher,
};
use tokio::time::Instant;

use crate::{
    play::{ids, service_name},
    scene::{Failure, Result, ensure, fail, within, within_limit},
};

/// What a follower has seen, for cases that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) resets: usize,
    pub(crate) patches: usize,
    pub(crate) stales: usize,
}

/// A watcher, with the view that its items add up to.
#[derive(Debug)]
pub(crate) struct Follower {
    watcher: Box<dyn Watcher>,
    view: Option<Snapshot>,
    stale: bool,
    pub(crate) tally: Tally,
}

impl Follower {
    /// Watches [`SERVICE`](crate::play::SERVICE) with the default options.
    pub(crate) async fn of(client: &Arc<dyn Client>) -> Result<Self> {
        Self::with(client, WatchOptions::default()).await
    }

    pub(crate) async fn with(client: &Arc<dyn Client>, options: WatchOptions) -> Result<Self> {
        let watcher = within("watch", client.watch_with(&service_name()?, options)).await??;
        ensure!(watcher.current().is_none(), "a watcher shows a view before its first item");
        Ok(Self { watcher, view: None, stale: false, tally: Tally::default() })
    }

    /// The view after the last item; empty before the first.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.view.as_ref().map(ids).unwrap_or_default()
    }

    pub(crate) fn view(&self) -> Option<&Snapshot> {
        self.view.as_ref()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Service> {
        self.view.as_ref().and_then(|view| view.get(id))
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// The next item; one that breaks a law of streams, or none in time, fails the case.
    pub(crate) async fn next(&mut self, limit: Duration) -> Result<Change> {
        let item = within_limit(limit, "the next item of the watch", self.watcher.next()).await?;
        let change = match item {
            Some(Ok(change)) => change,
            Some(Err(error)) => fail!("the watch failed: {error}"),
            None => fail!("the watch ended"),
        };
        self.take(&change)?;
        Ok(change)
    }

    fn take(&mut self, change: &Change) -> Result {
        match change {
            Change::Reset(view) => {
                self.tally.resets += 1;
                self.stale = false;
                self.view = Some(view.clone());
            }
            Change::Patch(patch) => {
                self.tally.patches += 1;
                ensure!(!self.stale, "a Patch follows Stale, expected a Reset: {patch:?}");
                let Some(view) = &self.view else { fail!("the first good item is a Patch: {patch:?}") };
                ensure!(
                    patch.revision() >= view.revision(),
                    "the revision goes back: {patch:?} after {view:?}"
                );
                self.view = Some(view.apply(patch));
            }
            Change::Stale(error) => {
                self.tally.stales += 1;
                ensure!(!is_final(error), "Stale holds what should end the stream: {error}");
                self.stale = true;
            }
            other => fail!("an unknown item: {other:?}"),
        }
        ensure!(
            self.watcher.current() == self.view.as_ref(),
            "current() is {:?}, the items so far make {:?} (last {change:?})",
            self.watcher.current(),
            self.view
        );
        Ok(())
    }

    /// Takes items until the view fits.
    pub(crate) async fn until(
        &mut self,
        limit: Duration,
        what: &str,
        fits: impl Fn(&Self) -> bool + Send,
    ) -> Result {
        let end = Instant::now() + limit;
        while !fits(self) {
            let left = end.saturating_duration_since(Instant::now());
            let waited = format!("waiting until {what}; the view is {:?}, stale: {}", self.ids(), self.stale);
            self.next(left).await.map_err(|failure| failure.during(&waited))?;
        }
        Ok(())
    }

    /// Takes items until the view shows exactly these ids and is not stale.
    pub(crate) async fn shows(&mut self, limit: Duration, wanted: &[&str]) -> Result {
        let what = format!("the watch shows {wanted:?}");
        self.until(limit, &what, |follower| {
            follower.view.is_some() && !follower.stale && follower.ids() == wanted
        })
        .await
    }

    /// Takes items until the view is stale.
    pub(crate) async fn goes_stale(&mut self, limit: Duration) -> Result {
        self.until(limit, "the watch is stale", Self::is_stale).await
    }

    /// Takes items for a span, and hands each to `look`.
    pub(crate) async fn during(
        &mut self,
        span: Duration,
        mut look: impl FnMut(&Change) -> Result + Send,
    ) -> Result {
        let end = Instant::now() + span;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(item) = tokio::time::timeout(left, self.watcher.next()).await else { return Ok(()) };
            let Some(Ok(change)) = item else { fail!("the watch ended with {item:?}") };
            self.take(&change)?;
            look(&change)?;
        }
    }

    /// Takes all items up to the end and checks how it ends (law L5).
    pub(crate) async fn ends(self, limit: Duration) -> Result {
        ends(self.watcher, limit, &[ErrorKind::Closed, ErrorKind::NoRuntime]).await
    }
}

/// Whether an error may end a stream (law L5).
pub(crate) fn is_final(error: &Error) -> bool {
    use ErrorKind::{Closed, Internal, NoRuntime, Unsupported};
    matches!(error.kind(), Closed | Internal | NoRuntime | Unsupported)
}

/// Reads a stream to its end: any items, one final error of these kinds, then nothing for ever.
pub(crate) async fn ends<S, T>(mut stream: S, limit: Duration, kinds: &[ErrorKind]) -> Result
where
    S: futures_util::Stream<Item = reception_core::Result<T>> + Unpin + Send,
    T: Send,
{
    loop {
        match within_limit(limit, "the end of the stream", stream.next()).await? {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                ensure!(kinds.contains(&error.kind()), "the stream failed with {error}, expected {kinds:?}");
                break;
            }
            None => fail!("the stream ended without an error"),
        }
    }
    for _ in 0..2 {
        let after = within_limit(limit, "the end of the stream", stream.next()).await?;
        ensure!(after.is_none(), "an item follows the final error");
    }
    Ok(())
}

/// An observation of an election, with the leader that its items add up to.
pub(crate) struct Observer {
    stream: BoxStream<reception_core::Result<Observation>>,
    /// `None` before the first good item.
    leader: Option<Option<(String, FencingToken)>>,
    stale: bool,
}

impl Observer {
    pub(crate) async fn of(elector: &dyn Elector) -> Result<Self> {
        let stream = within("observe", elector.observe()).await??;
        Ok(Self { stream, leader: None, stale: false })
    }

    /// The next item; one that breaks a law of streams, or none in time, fails the case.
    pub(crate) async fn next(&mut self, limit: Duration) -> Result<Observation> {
        let item = within_limit(limit, "the next observation", self.stream.next()).await?;
        let seen = match item {
            Some(Ok(seen)) => seen,
            Some(Err(error)) => fail!("the observation failed: {error}"),
            None => fail!("the observation ended"),
        };
        match &seen {
            Observation::Leader(leader) => {
                let id =
                    leader.service().map_or_else(String::new, |service| service.id().as_str().to_owned());
                let before = self.leader.take().flatten();
                if let Some((earlier, token)) = before {
                    let newer = token == leader.token()
                        || token.partial_cmp(&leader.token()).is_none_or(std::cmp::Ordering::is_lt);
                    ensure!(newer, "{id} is seen with token {} after {earlier} with {token}", leader.token());
                }
                self.leader = Some(Some((id, leader.token())));
                self.stale = false;
            }
            Observation::Vacant => (self.leader, self.stale) = (Some(None), false),
            Observation::Stale(error) => {
                ensure!(!is_final(error), "Stale holds what should end the stream: {error}");
                self.stale = true;
            }
            other => fail!("an unknown observation: {other:?}"),
        }
        Ok(seen)
    }

    async fn until(&mut self, limit: Duration, what: &str, fits: impl Fn(&Self) -> bool + Send) -> Result {
        let end = Instant::now() + limit;
        while !fits(self) {
            let left = end.saturating_duration_since(Instant::now());
            let waited = format!("waiting until {what}; seen last: {:?}, stale: {}", self.leader, self.stale);
            self.next(left).await.map_err(|failure| failure.during(&waited))?;
        }
        Ok(())
    }

    /// Takes items until this one leads, and tells the token.
    pub(crate) async fn sees(&mut self, limit: Duration, id: &str) -> Result<FencingToken> {
        let leads = |observer: &Self| match &observer.leader {
            Some(Some((leading, _))) => leading == id && !observer.stale,
            _ => false,
        };
        self.until(limit, &format!("{id} leads"), leads).await?;
        self.leader
            .as_ref()
            .and_then(Option::as_ref)
            .map(|(_, token)| *token)
            .ok_or_else(|| Failure::broken("no leader"))
    }

    /// Takes items until nobody leads.
    pub(crate) async fn sees_nobody(&mut self, limit: Duration) -> Result {
        self.until(limit, "nobody leads", |observer| observer.leader == Some(None) && !observer.stale).await
    }

    pub(crate) async fn goes_stale(&mut self, limit: Duration) -> Result {
        self.until(limit, "the observation is stale", |observer| observer.stale).await
    }

    /// Looks on for a span in which nothing but Stale may come.
    pub(crate) async fn stays_stale(&mut self, span: Duration) -> Result {
        let end = Instant::now() + span;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.stream.next()).await {
                Err(_) => return Ok(()),
                Ok(Some(Ok(Observation::Stale(_)))) => {}
                Ok(other) => fail!("{other:?} while the store cannot be reached"),
            }
        }
    }

    /// Takes all items up to the end and checks how it ends (law L5).
    pub(crate) async fn ends(self, limit: Duration) -> Result {
        ends(self.stream, limit, &[ErrorKind::Closed, ErrorKind::NoRuntime]).await
    }
}
