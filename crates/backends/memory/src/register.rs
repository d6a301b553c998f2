//! One registration: a record under the client's shared lease.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reception_core::{Error, ErrorKind, OnConflict, Result, Service};
use reception_kit::{Attempt, News, Slot, record};
use tokio::sync::{Notify, watch};

use crate::{
    error::{Refusal, held},
    line::{Line, Watch},
    session::{Health, Presence, Session},
    store::{Change, Entry},
};

const OPERATION: &str = "register";

/// A guard that was dropped a moment ago has not begun to withdraw: who asks for the same id again gives it this long.
pub(crate) const GRACE: Duration = Duration::from_millis(100);

/// The place of one registration in the store.
#[derive(Debug)]
pub(crate) struct Place {
    line: Line,
    session: Arc<Session>,
    key: String,
    hold: Hold,
    health: watch::Receiver<Health>,
    /// The lease that the record hangs on, as far as we know.
    lease: Option<u64>,
    /// Whether the keeper was told that the lease is in trouble.
    troubled: bool,
    /// Our own record: who else writes or removes it.
    watch: Option<Watch>,
    _presence: Presence,
}

impl Place {
    pub(crate) fn new(line: Line, session: Arc<Session>, key: String, hold: Hold) -> Self {
        let (health, presence) = (session.health(), session.presence());
        Self {
            line,
            session,
            key,
            hold,
            health,
            lease: None,
            troubled: false,
            watch: None,
            _presence: presence,
        }
    }

    async fn put(&mut self, service: &Service, attempt: Attempt) -> Result<()> {
        if self.watch.is_none() {
            self.watch = Watch::open(&self.line, OPERATION, &self.key, None).await.ok();
        }
        let lease = self.session.shared_lease(OPERATION).await?;
        let replace = attempt == Attempt::First(OnConflict::Replace);
        let (key, client) = (&self.key, self.session.client());
        let written = self.line.ask(OPERATION, |store, _| -> Result<Result<(), Refusal>> {
            let bytes = match store.own(key, client) {
                Some(Entry { value, .. }) => record::encode_over(service, value)?,
                None => record::encode(service)?,
            };
            Ok(store.claim(key, bytes, lease, replace))
        });
        let outcome = written.await??;
        match outcome {
            Ok(()) => self.lease = Some(lease),
            Err(Refusal::NoLease) => self.session.lost(lease),
            Err(_) => {}
        }
        outcome.map_err(|refusal| refusal.during(OPERATION))
    }

    /// Whether a change of our record is news.
    fn judge(&self, changes: &[Change]) -> Option<News> {
        let last = changes.last()?;
        match last.value {
            None => Some(News::Lost(gone("the record was removed"))),
            Some(_) if last.owner == Some(self.session.client()) => None,
            Some(_) => Some(News::Taken(Refusal::Taken.during(OPERATION))),
        }
    }

    /// Whether the lease is news.
    fn look_at_lease(&mut self) -> Option<News> {
        let Health { lease, trouble } = self.health.borrow_and_update().clone();
        if self.lease.is_some() && self.lease != lease {
            self.lease = None;
            return Some(News::Lost(gone("the lease has ended")));
        }
        if self.troubled != trouble.is_some() {
            self.troubled = trouble.is_some();
            return Some(trouble.map_or(News::Healthy, News::Doubtful));
        }
        None
    }
}

impl Slot for Place {
    async fn write(&mut self, service: &Service, attempt: Attempt) -> Result<()> {
        match self.put(service, attempt).await {
            // The store has ended our lease and we had not heard: the next one is granted at once.
            Err(error) if error.kind() == ErrorKind::LeaseLost => self.put(service, attempt).await,
            outcome => outcome,
        }
    }

    async fn withdraw(&mut self) -> Result<()> {
        self.hold.yielding();
        if !self.line.is_crashed() {
            let (key, client) = (&self.key, self.session.client());
            self.line
                .ask("close", |store, _| {
                    if store.own(key, client).is_some() {
                        store.remove(key);
                    }
                })
                .await?;
        }
        self.hold.free();
        Ok(())
    }

    async fn news(&mut self) -> News {
        loop {
            if let Some(news) = self.look_at_lease() {
                return news;
            }
            tokio::select! {
                biased;
                changed = self.health.changed() => if changed.is_err() {
                    // The session has ended, and so does the keeper.
                    std::future::pending::<()>().await;
                },
                changes = next(&mut self.watch) => match changes {
                    Some(changes) => if let Some(news) = self.judge(&changes) {
                        return news;
                    },
                    // The next write opens another; the lease tells whether the store can be reached.
                    None => self.watch = None,
                },
            }
        }
    }
}

async fn next(watch: &mut Option<Watch>) -> Option<Vec<Change>> {
    match watch {
        Some(watch) => watch.next().await.ok(),
        None => std::future::pending().await,
    }
}

fn gone(context: &str) -> Error {
    Error::new(ErrorKind::LeaseLost, crate::error::NAME, OPERATION, context)
}

/// The ids that registrations of one client hold.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Whether each is being withdrawn.
    places: Mutex<BTreeMap<String, bool>>,
    freed: Notify,
}

/// One id held; dropping it frees the id.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Arc<Held>,
    place: String,
    free: bool,
}

impl Held {
    fn places(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an id, waiting out a registration of this client that is being withdrawn.
    pub(crate) async fn take(
        self: &Arc<Self>,
        place: &str,
        on_conflict: OnConflict,
        timeout: Duration,
    ) -> Result<Hold> {
        if let Some(hold) = self.try_take(place) {
            return Ok(hold);
        }
        let conflict = || held(OPERATION, place);
        if on_conflict == OnConflict::Fail {
            return Err(conflict());
        }
        let yields = self.until(|| (self.places().get(place) != Some(&false)).then_some(()));
        tokio::time::timeout(GRACE, yields).await.map_err(|_| conflict())?;
        let frees = self.until(|| self.try_take(place));
        tokio::time::timeout(timeout, frees).await.map_err(|_| conflict())
    }

    async fn until<T>(&self, ready: impl Fn() -> Option<T> + Send) -> T {
        loop {
            let freed = self.freed.notified();
            if let Some(found) = ready() {
                return found;
            }
            freed.await;
        }
    }

    fn try_take(self: &Arc<Self>, place: &str) -> Option<Hold> {
        let mut places = self.places();
        if places.contains_key(place) {
            return None;
        }
        places.insert(place.to_owned(), false);
        Some(Hold { held: Arc::clone(self), place: place.to_owned(), free: false })
    }
}

impl Hold {
    /// The registration is being withdrawn.
    fn yielding(&self) {
        if let (false, Some(yielding)) = (self.free, self.held.places().get_mut(&self.place)) {
            *yielding = true;
        }
        self.held.freed.notify_waiters();
    }

    fn free(&mut self) {
        if !std::mem::replace(&mut self.free, true) {
            self.held.places().remove(&self.place);
            self.held.freed.notify_waiters();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.free();
    }
}
