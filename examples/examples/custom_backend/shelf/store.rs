//! The store: records and queues behind one lock, and a bell that rings after each change.
//!
//! A claim on the store is a value, and dropping the value gives the claim back. So a future that is dropped half-way, or a
//! task that ends with its runtime, leaves nothing behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use reception_core::{
    ElectionName, FencingToken, Leader, Service, ServiceId, ServiceName, Snapshot, Status, Tenure,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

static SHELVES: Mutex<BTreeMap<String, Weak<Shelf>>> = Mutex::new(BTreeMap::new());

/// What the clients of one name share. It is forgotten with its last client.
#[derive(Debug)]
pub(crate) struct Shelf {
    domain: [u8; 16],
    state: Mutex<State>,
    bell: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Grows with every write: revision, owner number and fencing token in one.
    revision: u64,
    records: BTreeMap<(ServiceName, ServiceId), Record>,
    queues: BTreeMap<ElectionName, Vec<Candidate>>,
}

#[derive(Debug)]
struct Record {
    service: Service,
    owner: u64,
    client: u64,
    replaced: CancellationToken,
}

#[derive(Debug)]
struct Candidate {
    service: Service,
    token: u64,
    client: u64,
    elector: u64,
    /// True once the candidate's caller has its `Leadership`: from then on only that guard gives the seat back.
    held: bool,
    /// That guard's view, which tells at once when the caller has let go of it.
    tenure: Option<Tenure>,
}

/// What `Shelf::claim` says about an id that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    ByAnother,
    ByThisClient,
}

/// Where a candidate stands in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    Gone,
    Waiting,
}

impl Shelf {
    pub(crate) fn new() -> Arc<Self> {
        let domain = *uuid::Uuid::new_v4().as_bytes();
        Arc::new(Self { domain, state: Mutex::default(), bell: watch::Sender::new(()) })
    }

    /// The shelf that every client of this name shares.
    pub(crate) fn named(name: &str) -> Arc<Self> {
        let mut shelves = SHELVES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = shelves.get(name).and_then(Weak::upgrade) {
            return shelf;
        }
        let shelf = Self::new();
        shelves.insert(name.to_owned(), Arc::downgrade(&shelf));
        shelf
    }

    pub(crate) fn bell(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// A number nobody else on this shelf has.
    pub(crate) fn number(&self) -> u64 {
        self.lock().next()
    }

    pub(crate) fn snapshot(&self, name: &ServiceName, any_status: bool) -> Snapshot {
        let state = self.lock();
        let wanted =
            |service: &&Service| service.name() == name && (any_status || service.status() == Status::Up);
        let services = state.records.values().map(|record| &record.service).filter(wanted).cloned();
        Snapshot::new(name.clone(), state.revision, services)
    }

    pub(crate) fn names(&self) -> BTreeSet<ServiceName> {
        self.lock().records.keys().map(|(name, _)| name.clone()).collect()
    }

    /// Everything that lies here: records and candidates.
    pub(crate) fn contents(&self) -> Vec<String> {
        let state = self.lock();
        let records = state.records.keys().map(|(name, id)| format!("record {name}/{id}"));
        let queues = state.queues.iter().flat_map(|(election, queue)| {
            queue.iter().map(move |candidate| format!("candidate {election}/{}", candidate.token))
        });
        records.chain(queues).collect()
    }

    /// Those who stand, the leader first.
    pub(crate) fn queue(&self, election: &ElectionName) -> Vec<Leader> {
        let state = self.lock();
        let queue = state.queues.get(election).map(Vec::as_slice).unwrap_or_default();
        queue.iter().map(|candidate| candidate.leader(self.domain)).collect()
    }

    /// Takes the id of `service`, by force when `replace` is set.
    pub(crate) fn claim(
        self: &Arc<Self>,
        client: u64,
        service: &Service,
        replace: bool,
    ) -> Result<Claim, Taken> {
        let slot = (service.name().clone(), service.id().clone());
        let mut state = self.lock();
        if let Some(present) = state.records.get(&slot) {
            if present.client == client {
                return Err(Taken::ByThisClient);
            }
            if !replace {
                return Err(Taken::ByAnother);
            }
            present.replaced.cancel();
        }
        let owner = state.next();
        let replaced = CancellationToken::new();
        let record = Record { service: service.clone(), owner, client, replaced: replaced.clone() };
        state.records.insert(slot.clone(), record);
        drop(state);
        self.ring();
        Ok(Claim { shelf: Arc::clone(self), slot, owner, replaced })
    }

    /// Puts a candidate at the end of the queue, unless this elector already stands with its id. A leadership that was just
    /// dropped is no hindrance, though its seat may still be on its way out.
    pub(crate) fn stand(
        self: &Arc<Self>,
        client: u64,
        elector: u64,
        election: &ElectionName,
        service: Service,
    ) -> Option<Seat> {
        let mut state = self.lock();
        let token = state.next();
        let queue = state.queues.entry(election.clone()).or_default();
        let stands = |other: &Candidate| other.tenure.as_ref().is_none_or(Tenure::is_held);
        let same = |other: &Candidate| other.elector == elector && other.service.id() == service.id();
        if queue.iter().any(|other| same(other) && stands(other)) {
            return None;
        }
        queue.push(Candidate { service, token, client, elector, held: false, tenure: None });
        drop(state);
        self.ring();
        Some(Seat { shelf: Arc::clone(self), election: election.clone(), token })
    }

    /// Takes the waiting candidates of one elector off every queue, also when nobody polls their futures.
    pub(crate) fn withdraw_elector(&self, elector: u64) {
        self.withdraw(|candidate| candidate.elector == elector && !candidate.held);
    }

    /// The same for all electors of a client.
    pub(crate) fn withdraw_client(&self, client: u64) {
        self.withdraw(|candidate| candidate.client == client && !candidate.held);
    }

    fn withdraw(&self, unwanted: impl Fn(&Candidate) -> bool) {
        let mut state = self.lock();
        for queue in state.queues.values_mut() {
            queue.retain(|candidate| !unwanted(candidate));
        }
        state.queues.retain(|_, queue| !queue.is_empty());
        drop(state);
        self.ring();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        self.bell.send_replace(());
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }
}

impl Candidate {
    fn leader(&self, domain: [u8; 16]) -> Leader {
        let token = FencingToken::new(domain, self.token);
        Leader::new(token, Some(self.service.clone()), self.service.id().as_str().as_bytes())
    }
}

/// An id that is ours until this value is dropped or another owner replaces it.
#[derive(Debug)]
pub(crate) struct Claim {
    shelf: Arc<Shelf>,
    slot: (ServiceName, ServiceId),
    owner: u64,
    replaced: CancellationToken,
}

impl Claim {
    /// Writes a new record; false when the id is no longer ours.
    pub(crate) fn put(&self, service: Service) -> bool {
        let mut state = self.shelf.lock();
        state.next();
        let ours = state.records.get_mut(&self.slot).filter(|record| record.owner == self.owner);
        let written = ours.map(|record| record.service = service).is_some();
        drop(state);
        self.shelf.ring();
        written
    }

    /// Waits until another owner has taken the id.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.shelf.lock();
        if state.records.get(&self.slot).is_some_and(|record| record.owner == self.owner) {
            state.next();
            state.records.remove(&self.slot);
        }
        drop(state);
        self.shelf.ring();
    }
}

/// A place in the queue of an election until this value is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    shelf: Arc<Shelf>,
    election: ElectionName,
    token: u64,
}

impl Seat {
    pub(crate) fn token(&self) -> FencingToken {
        FencingToken::new(self.shelf.domain, self.token)
    }

    /// Looks where the candidate stands and, when it is first, marks the seat as held in the same step.
    pub(crate) fn hold_if_first(&self) -> Place {
        let mut state = self.shelf.lock();
        let Some(queue) = state.queues.get_mut(&self.election) else { return Place::Gone };
        match queue.iter_mut().enumerate().find(|(_, candidate)| candidate.token == self.token) {
            None => Place::Gone,
            Some((0, candidate)) => {
                candidate.held = true;
                Place::First
            }
            Some(_) => Place::Waiting,
        }
    }

    /// Remembers the view of the guard that the candidate's caller is about to have.
    pub(crate) fn lead(&self, tenure: Tenure) {
        let mut state = self.shelf.lock();
        let queue = state.queues.entry(self.election.clone()).or_default();
        if let Some(candidate) = queue.iter_mut().find(|candidate| candidate.token == self.token) {
            candidate.tenure = Some(tenure);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shelf.withdraw(|candidate| candidate.token == self.token);
    }
}
