//! Reading the instances of a service: a paged list at one revision, then a stream of changes from the next one on.
//!
//! The position is a revision: every change up to it is in the view. After a break the changes since the position are asked for by
//! one read, which costs what has changed, and only a removal among them costs a whole list: etcd tells a removal to none but those
//! who were listening. The same read looks for a witness, a key of the view, so that another store is not taken for this one. (Opening the stream at the position would bring the removals too, but does not say when all have come.)

mod pages;
#[cfg(test)]
mod tests;
mod witness;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use etcd_client::{GetOptions, KeyValue, Txn, TxnOp, WatchResponse};
use reception_core::{ErrorKind, Patch, Result, Service, ServiceId, ServiceName, Snapshot, Status};
use reception_kit::{Break, Source, record};

pub(crate) use pages::{Known, Page, names, pages};
use witness::Witness;

use crate::{
    error::error,
    layout::{end_of, id_of},
    session::{Ended, Line, Position, Range, Session, is_gone, reads},
};

const OPERATION: &str = "watch";
/// The one watch of a stream.
const WATCH: i64 = 1;
/// Above this many changes since the position a list is the cheaper answer.
const MISSED: i64 = 1000;
/// A message from this size on may be a piece of a revision: the server cuts messages at its request limit (1.5 MiB by default) and
/// the library does not tell which are pieces.
const PIECE: usize = 64 * 1024;

/// The instances of one service.
#[derive(Debug)]
pub(crate) struct Instances {
    session: Arc<Session>,
    name: ServiceName,
    prefix: String,
    place: Place,
    witness: Option<Witness>,
    page: Page,
    /// Ids whose records cannot be read (law L16).
    unreadable: BTreeSet<ServiceId>,
    /// What was read on the way to a stream that did not open.
    owed: Option<Patch>,
    line: Option<Line>,
}

/// How far the view goes.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    at: Position,
    /// All keys there, ours or not: what a removal is noticed by.
    keys: i64,
    /// The last message may have been a piece of a revision.
    partial: bool,
    /// Nothing can be missing: the list was just read.
    fresh: bool,
}

/// What happened to each id in the end: a record, or its removal.
type Changes = BTreeMap<ServiceId, Option<Service>>;

/// Reads a record; `None` is a key of another layout.
pub(crate) fn read(name: &ServiceName, prefix: &str, kv: &KeyValue) -> Option<(ServiceId, Result<Service>)> {
    let id = id_of(prefix, kv.key())?;
    let service = record::decode(name, &id, kv.value());
    Some((id, service))
}

/// Reads all instances of a service, or those with status Up.
pub(crate) async fn list(
    session: &Session,
    name: &ServiceName,
    any_status: bool,
    known: &Known,
) -> Result<Snapshot> {
    let prefix = session.layout.instances(name);
    let mut page = known.page(name);
    let mut services = Vec::new();
    let mut unreadable = 0;
    let read_page = |kvs: Vec<KeyValue>| {
        services.reserve(kvs.len());
        for kv in kvs {
            match read(name, &prefix, &kv) {
                Some((_, Ok(service))) if any_status || service.status() == Status::Up => {
                    services.push(service);
                }
                Some((_, Err(_))) => unreadable += 1,
                _ => {}
            }
        }
    };
    let end = pages(session, "list", session.patient(), &prefix, &mut page, read_page).await?;
    known.learn(name, page);
    Ok(Snapshot::new(name.clone(), revision(end.at.revision), services).with_unreadable(unreadable))
}

fn revision(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}

impl Instances {
    pub(crate) fn new(session: &Arc<Session>, name: &ServiceName) -> Self {
        Self {
            session: Arc::clone(session),
            name: name.clone(),
            prefix: session.layout.instances(name),
            place: Place::default(),
            witness: None,
            page: Page::default(),
            unreadable: BTreeSet::new(),
            owed: None,
            line: None,
        }
    }

    fn gap(why: &str) -> Break {
        Break::Gap(error(ErrorKind::Unavailable, OPERATION, why))
    }

    fn patch(&self, changes: Changes) -> Patch {
        let (mut upserted, mut removed) = (Vec::new(), Vec::new());
        for (id, service) in changes {
            match service {
                Some(service) => upserted.push(service),
                None => removed.push(id),
            }
        }
        Patch::new(revision(self.place.at.revision), upserted, removed).with_unreadable(self.unreadable.len())
    }

    fn upsert(&mut self, kv: &KeyValue, changes: &mut Changes) {
        match read(&self.name, &self.prefix, kv) {
            Some((id, Ok(service))) => {
                self.unreadable.remove(&id);
                changes.insert(id, Some(service));
            }
            Some((id, Err(_))) => {
                self.take_out(&id, changes);
                self.unreadable.insert(id);
            }
            None => {}
        }
    }

    fn take_out(&mut self, id: &ServiceId, changes: &mut Changes) {
        // What could not be read was not in the view.
        if !self.unreadable.remove(id) {
            changes.insert(id.clone(), None);
        }
    }

    /// What has changed since the position, by one read. The number of keys shows whether one is gone.
    async fn missed(&mut self) -> Result<Patch, Break> {
        let since = self.place.at.revision;
        let options = GetOptions::new()
            .with_range(end_of(&self.prefix))
            .with_min_mod_revision(since + 1)
            .with_limit(MISSED);
        let witness = self.witness.as_ref().map_or(self.prefix.as_bytes(), |witness| &witness.key);
        let only = GetOptions::new().with_keys_only();
        let txn = Txn::new()
            .and_then([TxnOp::get(self.prefix.as_str(), Some(options)), TxnOp::get(witness, Some(only))]);
        let read = self.session.txn(OPERATION, self.session.brief(), txn);
        let answer = read.await.map_err(|error| match error.kind() {
            ErrorKind::TooLarge => Break::Gap(error),
            _ => Break::Failed(error),
        })?;
        let now = Position::of(answer.header());
        let [answer, found] = &reads(&answer)[..] else { return Err(Self::gap("half an answer")) };
        let same = match (&self.witness, found.kvs().first()) {
            (Some(witness), Some(found)) => witness.is_still(found, since),
            (None, _) => self.place.keys == 0,
            (Some(_), None) => false,
        };
        if now.is_before(self.place.at) || !same {
            return Err(Self::gap(
                "keys were removed, or the store is another one or an older state of itself",
            ));
        }
        let created = answer.kvs().iter().filter(|kv| kv.create_revision() > since).count();
        let kept = self.place.keys.saturating_add(i64::try_from(created).unwrap_or(i64::MAX));
        if answer.more() || kept != answer.count() {
            return Err(Self::gap("keys were removed meanwhile"));
        }
        self.place = Place { at: now, keys: kept, ..Place::default() };
        let mut changes = Changes::new();
        for kv in answer.kvs() {
            self.witness(kv);
            self.upsert(kv, &mut changes);
        }
        Ok(self.patch(changes))
    }

    fn witness(&mut self, kv: &KeyValue) {
        if self.witness.as_ref().is_none_or(|witness| witness.modified <= kv.mod_revision()) {
            self.witness = Some(Witness::of(kv));
        }
    }

    fn take(&mut self, answer: &WatchResponse) -> Patch {
        let mut changes = Changes::new();
        let mut size = 0;
        for event in answer.events() {
            let Some(kv) = event.kv() else { continue };
            size += kv.key().len() + kv.value().len();
            self.place.at.revision = self.place.at.revision.max(kv.mod_revision());
            if is_gone(event) {
                self.place.keys -= 1;
                // Without it the next break costs a list, unless something is written before.
                self.witness.take_if(|witness| witness.key == kv.key());
                if let Some(id) = id_of(&self.prefix, kv.key()) {
                    self.take_out(&id, &mut changes);
                }
            } else {
                self.place.keys += i64::from(kv.version() == 1);
                self.witness(kv);
                self.upsert(kv, &mut changes);
            }
        }
        self.place.partial = size >= PIECE;
        let told = Position::of(answer.header());
        self.place.at.term = self.place.at.term.max(told.term);
        // Without events it says that everything up to here was told. A piece may still be on its way behind events.
        if answer.events().is_empty() && !answer.created() && answer.watch_id() == WATCH {
            self.place.at.revision = self.place.at.revision.max(told.revision);
        }
        self.patch(changes)
    }
}

impl Source for Instances {
    type View = Snapshot;

    async fn list(&mut self) -> Result<Snapshot> {
        self.line = None;
        self.owed = None;
        self.unreadable.clear();
        let mut services = Vec::new();
        let mut witness: Option<Witness> = None;
        let (name, prefix, unreadable) = (&self.name, self.prefix.as_str(), &mut self.unreadable);
        let read_page = |kvs: Vec<KeyValue>| {
            services.reserve(kvs.len());
            for kv in kvs {
                if witness.as_ref().is_none_or(|witness| witness.modified <= kv.mod_revision()) {
                    witness = Some(Witness::of(&kv));
                }
                match read(name, prefix, &kv) {
                    Some((_, Ok(service))) => services.push(service),
                    Some((id, Err(_))) => drop(unreadable.insert(id)),
                    None => {}
                }
            }
        };
        let end =
            pages(&self.session, OPERATION, self.session.brief(), prefix, &mut self.page, read_page).await?;
        self.place = Place { at: end.at, keys: end.keys, partial: false, fresh: true };
        self.witness = witness;
        Ok(Snapshot::new(self.name.clone(), revision(end.at.revision), services)
            .with_unreadable(self.unreadable.len()))
    }

    async fn resume(&mut self) -> Result<Patch, Break> {
        self.line = None;
        if self.place.partial {
            return Err(Self::gap("the stream broke inside a revision"));
        }
        if !std::mem::take(&mut self.place.fresh) {
            let missed = self.missed().await?;
            self.owed = Some(self.owed.take().map_or(missed.clone(), |owed| owed.then(&missed)));
        }
        let range = Range {
            watch: WATCH,
            key: self.prefix.clone().into_bytes(),
            end: Some(end_of(&self.prefix)),
            from: self.place.at.revision + 1,
        };
        let line = self.session.open(OPERATION, self.session.brief(), &range).await.map_err(Break::Failed)?;
        if line.at.is_before(self.place.at) {
            // A server that is behind, or another store, where this watch would wait for years: the next read tells.
            let behind = "the server has not come as far as the one that was read";
            return Err(Break::Failed(error(ErrorKind::Unavailable, OPERATION, behind)));
        }
        self.line = Some(line);
        Ok(self.owed.take().unwrap_or_else(|| self.patch(Changes::new())))
    }

    async fn next(&mut self) -> Result<Patch, Break> {
        let Some(line) = &mut self.line else {
            return Err(Break::Failed(error(ErrorKind::Unavailable, OPERATION, "no stream is open")));
        };
        match line.answers.next(OPERATION).await {
            Ok(answer) => Ok(self.take(&answer)),
            Err(Ended::Compacted { error, .. }) => Err(Break::Gap(error)),
            Err(Ended::Canceled { error, .. } | Ended::Failed(error)) => Err(Break::Failed(error)),
        }
    }
}
