//! The candidacies of one elector: who stands, and taking back all that still wait.

use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, Mutex},
};

use reception_core::{Error, ErrorKind, Result, ServiceId};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::room::lock;

/// The pending candidacies of one elector: what `Elector::cancel` takes back.
#[derive(Clone, Debug)]
pub struct Contest {
    backend: &'static str,
    standing: Arc<Mutex<BTreeSet<ServiceId>>>,
    round: Arc<Mutex<Round>>,
}

/// Those who entered since the last cancel.
#[derive(Clone, Debug, Default)]
struct Round {
    canceled: CancellationToken,
    pending: TaskTracker,
    failure: Arc<Mutex<Option<Error>>>,
}

/// One candidacy's place in its contest; `elect` takes it and keeps it for as long as needed.
#[derive(Debug)]
pub struct Entry {
    canceled: CancellationToken,
    pending: Option<TaskTrackerToken>,
    failure: Arc<Mutex<Option<Error>>>,
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    id: ServiceId,
    standing: Arc<Mutex<BTreeSet<ServiceId>>>,
}

impl Contest {
    /// A contest without candidates.
    #[must_use]
    pub fn new(backend: &'static str) -> Self {
        Self { backend, standing: Arc::default(), round: Arc::default() }
    }

    /// Takes a place for the candidate with this id.
    ///
    /// # Errors
    ///
    /// Conflict while it stands or leads already.
    pub fn enter(&self, id: &ServiceId) -> Result<Entry> {
        if !lock(&self.standing).insert(id.clone()) {
            let context = format!("{id} stands already");
            return Err(Error::new(ErrorKind::Conflict, self.backend, "elect", context));
        }
        let place = Place { id: id.clone(), standing: Arc::clone(&self.standing) };
        let round = lock(&self.round).clone();
        Ok(Entry {
            canceled: round.canceled,
            pending: Some(round.pending.token()),
            failure: round.failure,
            place: Some(place),
        })
    }

    /// Takes back every candidacy that still waits, also those whose future was dropped and which are
    /// not withdrawn yet. Later entries are not concerned.
    ///
    /// # Errors
    ///
    /// Why a candidacy could not be withdrawn in time; its withdrawal goes on.
    ///
    /// # Cancel safety
    ///
    /// Withdrawing goes on when the future is dropped.
    pub async fn cancel(&self) -> Result<()> {
        let round = mem::take(&mut *lock(&self.round));
        round.canceled.cancel();
        round.pending.close();
        round.pending.wait().await;
        let failure = lock(&round.failure).take();
        failure.map_or(Ok(()), Err)
    }
}

impl Entry {
    pub(crate) fn canceled(&self) -> &CancellationToken {
        &self.canceled
    }

    /// The candidacy waits no longer: it won, or is withdrawn as far as it could be.
    pub(crate) fn decided(&mut self, outcome: &Result<()>) {
        if let Err(error) = outcome {
            *lock(&self.failure) = Some(error.clone());
        }
        self.pending = None;
    }

    /// The leadership is over: the candidate may stand again while the rest of it is withdrawn.
    pub(crate) fn over(&mut self) {
        self.place = None;
    }
}

/// A candidacy outside any contest, canceled by the token.
impl From<CancellationToken> for Entry {
    fn from(canceled: CancellationToken) -> Self {
        Self { canceled, pending: None, failure: Arc::default(), place: None }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.standing).remove(&self.id);
    }
}
