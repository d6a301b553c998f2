//! A list as an agent answers it, and what differs from the one before.
//!
//! An answer is the whole list, though one instance changed. An element with the very bytes of one that is known is that one: it is neither parsed nor
//! copied, and mostly not even scanned, since the next known one is tried first.

mod elements;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use reception_core::{Result, Service, ServiceId, ServiceName, Snapshot, Status};

use elements::Elements;

use crate::{
    api::{Row, place},
    error::nonsense,
    layout::{Names, OWNER, decode},
};

/// How far ahead a known element is looked for: others before it were removed.
const AHEAD: usize = 16;

/// The instances of one service as they were read last.
#[derive(Debug)]
pub(super) struct Table {
    name: ServiceName,
    names: Names,
    known: Vec<Known>,
    hasher: RandomState,
    unreadable: usize,
    /// Ids that stand at several nodes, which makes names depend on each other.
    tangled: bool,
}

/// An element.
#[derive(Clone, Debug)]
struct Known {
    length: usize,
    hash: u64,
    node: Arc<str>,
    /// None: not ours to show.
    id: Option<ServiceId>,
    /// Of the owner mark: which registration it is.
    mark: Option<u64>,
    /// None: not readable.
    service: Option<Service>,
    /// The same under its own id, while it is shown under another or not at all.
    renamed: Option<Service>,
}

pub(super) type Changes = (Vec<Service>, BTreeSet<ServiceId>);

impl Table {
    pub(super) fn new(name: &ServiceName, names: &Names) -> Self {
        let (known, hasher) = (Vec::new(), RandomState::new());
        Self { name: name.clone(), names: names.clone(), known, hasher, unreadable: 0, tangled: false }
    }

    pub(super) fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// Whether ids stand at several nodes: then it matters which node is our agent's.
    pub(super) fn is_tangled(&self) -> bool {
        self.tangled
    }

    /// Names again what stands at several nodes, now that our agent's is known; what is shown differently from before.
    pub(super) fn rename(&mut self, home: &str) -> Changes {
        let before = self.known.clone();
        self.untangle(Some(home));
        compare(&before, &self.known)
    }

    /// Everything that is shown.
    pub(super) fn snapshot(&self, revision: u64) -> Snapshot {
        let shown = self.known.iter().filter_map(|known| known.service.clone());
        Snapshot::new(self.name.clone(), revision, shown).with_unreadable(self.unreadable)
    }

    /// Takes an answer in; what is shown differently from before.
    pub(super) fn take(
        &mut self,
        operation: &'static str,
        body: &[u8],
        home: Option<&str>,
    ) -> Result<Changes> {
        let wrong = |why: &str| nonsense(operation, "reading a list", why);
        let mut rest = Elements::new(body).ok_or_else(|| wrong("it is no list"))?;
        let before = std::mem::take(&mut self.known);
        let mut reader = Reader { before: &before, reused: vec![false; before.len()], at: 0, by_hash: None };
        let (mut now, mut fresh) = (Vec::with_capacity(before.len() + 8), Vec::new());
        loop {
            if let Some(known) = reader.guess(&mut rest, &self.hasher) {
                now.push(before[known].clone());
                continue;
            }
            let element = match rest.next() {
                Ok(Some(element)) => element,
                Ok(None) => break,
                Err(()) => {
                    self.known = before;
                    return Err(wrong("it ends too early"));
                }
            };
            let hash = self.hasher.hash_one(element);
            if let Some(known) = reader.find(element.len(), hash) {
                now.push(before[known].clone());
                continue;
            }
            match self.read(operation, element, hash) {
                Ok(known) => {
                    reader.pass(&known);
                    fresh.push(now.len());
                    now.push(known);
                }
                Err(failed) => {
                    self.known = before;
                    return Err(failed);
                }
            }
        }
        let gone: Vec<usize> = (0..before.len()).filter(|at| !reader.reused[*at]).collect();
        self.known = now;
        Ok(self.changes(&before, &fresh, &gone, home))
    }

    fn read(&self, operation: &'static str, element: &[u8], hash: u64) -> Result<Known> {
        let row: Row<'_> = match serde_json::from_slice(element) {
            Ok(row) => row,
            Err(failed) if failed.is_data() => {
                // A row of a shape that we do not know hides nothing else.
                let (node, id) = (Arc::from(""), ServiceId::foreign(&format!("{hash:016x}")).ok());
                return Ok(Known {
                    length: element.len(),
                    hash,
                    node,
                    id,
                    mark: None,
                    service: None,
                    renamed: None,
                });
            }
            Err(failed) => return Err(nonsense(operation, "reading a list", place(&failed))),
        };
        let node = Arc::from(&*row.node.name);
        let (id, service) = match decode(&self.names, &self.name, &row) {
            Some(decoded) => (Some(decoded.id), decoded.service.ok()),
            None => (None, None),
        };
        let mark = row.service.meta.as_ref().and_then(|meta| meta.get(OWNER));
        let mark = mark.map(|mark| self.hasher.hash_one(mark));
        Ok(Known { length: element.len(), hash, node, id, mark, service, renamed: None })
    }

    fn changes(&mut self, before: &[Known], fresh: &[usize], gone: &[usize], home: Option<&str>) -> Changes {
        let tangled = self.untangle(home);
        if tangled || std::mem::replace(&mut self.tangled, tangled) {
            self.tangled = tangled;
            return compare(before, &self.known);
        }
        let mut removed: BTreeSet<ServiceId> = gone
            .iter()
            .filter_map(|at| before[*at].service.as_ref())
            .map(|service| service.id().clone())
            .collect();
        let written: Vec<Service> = fresh.iter().filter_map(|at| self.known[*at].service.clone()).collect();
        for service in &written {
            removed.remove(service.id());
        }
        let same = |service: &Service| gone.iter().any(|at| before[*at].service.as_ref() == Some(service));
        // A check may say something else and the instance be the same.
        let written = if gone.len() <= AHEAD || written.len() <= AHEAD {
            written.into_iter().filter(|service| !same(service)).collect()
        } else {
            written
        };
        (written, removed)
    }

    /// Hides all but one of those that are the same registration: it has moved to another node, and what it left is not gone yet. That which lives is shown.
    fn once(&mut self, all: &[usize]) -> Vec<usize> {
        let mut left: Vec<usize> = Vec::with_capacity(all.len());
        let mut places: HashMap<u64, usize> = HashMap::new();
        for at in all {
            // Of other programs an id may stand at thousands of nodes.
            let Some(mark) = self.known[*at].mark else {
                left.push(*at);
                continue;
            };
            let place = *places.entry(mark).or_insert(left.len());
            let Some(other) = left.get_mut(place) else {
                left.push(*at);
                continue;
            };
            let better = rank(&self.known[*at]) < rank(&self.known[*other]);
            let hidden = if better { std::mem::replace(other, *at) } else { *at };
            let known = &mut self.known[hidden];
            known.renamed = known.service.take();
        }
        left
    }

    /// Gives instances of one id at several nodes names of their own: our agent's keeps the id, before a foreign one there, else the first of ours. Counts what cannot be shown.
    fn untangle(&mut self, home: Option<&str>) -> bool {
        if self.tangled {
            for known in &mut self.known {
                known.service = known.renamed.take().or_else(|| known.service.take());
            }
        }
        let unread = |known: &&Known| known.id.is_some() && known.service.is_none();
        self.unreadable = self.known.iter().filter(unread).count();
        let mut first: HashMap<&str, usize> = HashMap::with_capacity(self.known.len());
        let mut twice: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, known) in self.known.iter().enumerate() {
            let Some(id) = &known.id else { continue };
            if let Some(other) = first.insert(id.as_str(), at) {
                let all = twice.entry(id.as_str().to_owned()).or_insert_with(|| vec![other]);
                all.push(at);
            }
        }
        for (id, all) in &twice {
            let all = &self.once(all);
            let at_home = |at: &&usize| Some(&*self.known[**at].node) == home;
            let marked = |at: &&usize| self.known[**at].mark.is_some();
            let mut order = all.iter().filter(at_home).filter(marked).chain(all.iter().filter(at_home));
            let keeps = order.next().or_else(|| all.iter().find(marked)).copied().unwrap_or(all[0]);
            let mut taken: HashSet<Arc<str>> = HashSet::with_capacity(all.len());
            let (ours, others): (Vec<usize>, Vec<usize>) =
                all.iter().copied().partition(|at| self.known[*at].mark.is_some());
            for at in ours.into_iter().chain(others) {
                let known = &mut self.known[at];
                if at != keeps
                    && let Some(service) = known.service.take()
                {
                    // An id of ours and a foreign one may read alike at one node, and no more than these two.
                    let again = if taken.insert(Arc::clone(&known.node)) { "" } else { "@2" };
                    let text = format!("{id}@{}{again}", known.node);
                    known.service = service.to_builder().id(&text).build_foreign().ok();
                    known.renamed = Some(service);
                    // A node may be called as no id can be.
                    self.unreadable += usize::from(known.service.is_none());
                }
            }
        }
        !twice.is_empty()
    }
}

/// How well it is; the lower the better.
fn rank(known: &Known) -> u8 {
    match known.service.as_ref().map(Service::status) {
        Some(Status::Up) => 0,
        Some(Status::Draining) => 1,
        Some(_) => 2,
        None => 3,
    }
}

/// What differs, by comparing all.
fn compare(before: &[Known], now: &[Known]) -> Changes {
    let shown = |all: &[Known]| -> BTreeMap<ServiceId, Service> {
        let services = all.iter().filter_map(|known| known.service.clone());
        services.map(|service| (service.id().clone(), service)).collect()
    };
    let (before, now) = (shown(before), shown(now));
    let removed = before.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
    let written = now.into_iter().filter(|(id, service)| before.get(id) != Some(service));
    (written.map(|(_, service)| service).collect(), removed)
}

/// Finds elements among those that are known.
struct Reader<'a> {
    before: &'a [Known],
    reused: Vec<bool>,
    /// The one that comes next if nothing has changed.
    at: usize,
    by_hash: Option<HashMap<(usize, u64), usize>>,
}

impl Reader<'_> {
    /// Takes the next element if it is the next known one.
    fn guess(&mut self, rest: &mut Elements<'_>, hasher: &RandomState) -> Option<usize> {
        let known = self.before.get(self.at)?;
        let element = rest.peek(known.length)?;
        if hasher.hash_one(element) != known.hash {
            return None;
        }
        rest.skip(known.length);
        self.reused[self.at] = true;
        self.at += 1;
        Some(self.at - 1)
    }

    /// Finds a scanned element elsewhere.
    fn find(&mut self, length: usize, hash: u64) -> Option<usize> {
        let near = (self.at..self.before.len().min(self.at + AHEAD))
            .find(|at| self.before[*at].hash == hash && self.before[*at].length == length);
        let found = near.or_else(|| {
            let before = self.before;
            let table = self.by_hash.get_or_insert_with(|| {
                before.iter().enumerate().map(|(at, known)| ((known.length, known.hash), at)).collect()
            });
            table.get(&(length, hash)).copied()
        })?;
        if std::mem::replace(&mut self.reused[found], true) {
            return None;
        }
        self.at = found + 1;
        Some(found)
    }

    /// An element that is not known; when it is a new form of the next known one, that one is past.
    fn pass(&mut self, fresh: &Known) {
        let next = self.before.get(self.at);
        if next.is_some_and(|next| next.id == fresh.id && next.node == fresh.node) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests;
