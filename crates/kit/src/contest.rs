//! The candidacies of one elector: who stands, and taking back all that still wait.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex},
};

use reception_core::{Error, ErrorKind, Result, ServiceId, Tenure};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::room::lock;

/// The pending candidacies of one elector: what `Elector::cancel` takes back.
#[derive(Clone, Debug)]
pub struct Contest {
    backend: &'static str,
    standing: Places,
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

type Places = Arc<Mutex<BTreeMap<ServiceId, Arc<Mutex<Holder>>>>>;

#[derive(Debug)]
struct Place {
    id: ServiceId,
    holder: Arc<Mutex<Holder>>,
    standing: Places,
}

/// Who keeps a place from others. Told by the caller's half, whose drop is known at once, and not by the task
/// that withdraws later: a program that lost or gave up stands again right away.
#[derive(Debug)]
enum Holder {
    Waits,
    Leads(Tenure),
    Gone,
}

/// The caller that waits for its win; its drop frees the place.
#[derive(Debug)]
pub(crate) struct Waiting(Option<Arc<Mutex<Holder>>>);

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
    /// Conflict while it stands or leads already. One that was dropped, resigned or lost does neither, though
    /// its withdrawal may still be under way.
    pub fn enter(&self, id: &ServiceId) -> Result<Entry> {
        let holder = Arc::new(Mutex::new(Holder::Waits));
        {
            let mut standing = lock(&self.standing);
            if standing.get(id).is_some_and(|holder| lock(holder).stands()) {
                let context = format!("{id} stands already");
                return Err(Error::new(ErrorKind::Conflict, self.backend, "elect", context));
            }
            standing.insert(id.clone(), Arc::clone(&holder));
        }
        let place = Place { id: id.clone(), holder, standing: Arc::clone(&self.standing) };
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

    /// What the caller keeps while it waits.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting(self.place.as_ref().map(|place| Arc::clone(&place.holder)))
    }

    /// The candidate won: from now on its tenure tells whether it holds the place.
    pub(crate) fn leads(&self, tenure: Tenure) {
        if let Some(place) = &self.place {
            *lock(&place.holder) = Holder::Leads(tenure);
        }
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

impl Holder {
    fn stands(&self) -> bool {
        match self {
            Self::Waits => true,
            Self::Leads(tenure) => tenure.is_held(),
            Self::Gone => false,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(holder) = &self.0 {
            let mut holder = lock(holder);
            if matches!(*holder, Holder::Waits) {
                *holder = Holder::Gone;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut standing = lock(&self.standing);
        // Somebody else may have it since this one was given up.
        if standing.get(&self.id).is_some_and(|holder| Arc::ptr_eq(holder, &self.holder)) {
            standing.remove(&self.id);
        }
    }
}
