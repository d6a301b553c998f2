//! Reading the instances of a service: the names, all records in a few requests, then one recursive watch.
//!
//! The watch is set before the names are read, so that nothing falls between. A removal is told by its event alone; what was added or
//! changed is read, alone by one request, in a burst by one for hundreds. The library loses the watch at every reconnect and the server
//! never tells what was missed: then the watch is set anew, the names are read, and every record is compared by when it was written.

mod reader;
mod stream;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use reception_core::{Error, ErrorKind, Moment, Patch, Result, Service, ServiceId, ServiceName, Snapshot};
use reception_kit::{Break, Source};

use stream::{Event, Stream};

use crate::{
    error::{error, native},
    session::{Live, Session},
};

pub(crate) use reader::{Found, children, names, read_all, read_one};
use reader::{denied, read_all_as, readable};

const OPERATION: &str = "watch";
/// What stands for the transaction of a record that may not be read.
const DENIED: i64 = -1;

/// The instances of one service.
#[derive(Debug)]
pub(crate) struct Instances {
    session: Arc<Session>,
    name: ServiceName,
    folder: String,
    known: BTreeMap<ServiceId, Known>,
    unreadable: usize,
    /// Names of children that cannot be ids.
    odd: BTreeSet<String>,
    /// Grows with every view.
    revision: u64,
    stream: Option<Stream>,
    /// What events told and was not read yet: true when it may be there.
    moved: BTreeMap<String, bool>,
}

/// A record of the view.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The transaction that wrote it last, or [`DENIED`].
    written: i64,
    readable: bool,
}

/// Reads all instances of a service, of any status.
pub(crate) async fn list(session: &Arc<Session>, name: &ServiceName) -> Result<Snapshot> {
    const OPERATION: &str = "list";
    let until = session.until();
    let folder = session.paths.instances(name);
    let names = children(session, OPERATION, until, &folder, true).await?;
    let (names, odd): (Vec<_>, Vec<_>) = names.into_iter().partition(|child| is_id(child));
    let take = |child: String, record: Found| match record {
        Found::Record { data, stat } => {
            Some((stat.mzxid, ServiceId::foreign(&child).and_then(|id| decode(session, name, &id, &data))))
        }
        Found::Denied => Some((DENIED, Err(native(OPERATION, &child, zookeeper_client::Error::NoAuth)))),
        Found::Nothing => None,
    };
    let found = read_all_as(session, OPERATION, until, &folder, names, take).await?;
    let found: Vec<_> = found.into_iter().flatten().collect();
    let revision = found.iter().map(|(written, _)| *written).max().unwrap_or_default();
    if revision == DENIED {
        return Err(denied(OPERATION, &folder));
    }
    let (mut services, mut unreadable) = (Vec::with_capacity(found.len()), odd.len());
    for (_, service) in found {
        match service {
            Ok(service) => services.push(service),
            Err(_) => unreadable += 1,
        }
    }
    let revision = u64::try_from(revision).unwrap_or_default();
    Ok(Snapshot::new(name.clone(), revision, services).with_unreadable(unreadable))
}

/// Whether a child can be an instance: what has a longer name than any id is counted and not read.
fn is_id(child: &str) -> bool {
    ServiceId::foreign(child).is_ok()
}

/// Reads a record; a layout that makes another instance of it has not understood it.
fn decode(session: &Session, name: &ServiceName, id: &ServiceId, data: &[u8]) -> Result<Service> {
    let service = session.paths.layout.decode(name, id, data)?;
    if (service.name(), service.id()) == (name, id) {
        return Ok(service);
    }
    Err(error(ErrorKind::Protocol, "decode", format!("the layout reads {name}/{id} as another instance")))
}

impl Instances {
    pub(crate) fn new(session: &Arc<Session>, name: &ServiceName) -> Self {
        Self {
            session: Arc::clone(session),
            name: name.clone(),
            folder: session.paths.instances(name),
            known: BTreeMap::new(),
            unreadable: 0,
            odd: BTreeSet::new(),
            revision: 0,
            stream: None,
            moved: BTreeMap::new(),
        }
    }

    /// Sets the watch on this session.
    async fn open(&mut self, live: &Live, until: Moment) -> Result<()> {
        self.moved.clear();
        let before = self.stream.take();
        let watch = live.client.watch(&self.folder, zookeeper_client::AddWatchMode::PersistentRecursive);
        let watcher = self.session.send(OPERATION, until, watch).await?;
        let watcher =
            watcher.map_err(|wrong| native(OPERATION, &format!("watching {}", self.folder), wrong))?;
        self.stream = Some(Stream::new(live, watcher));
        // After the new one: the server's own watch is the same for both.
        drop(before);
        Ok(())
    }

    /// Sets the watch and reads everything; what differs from what is known, as one change.
    async fn read(&mut self) -> Result<(Vec<Service>, BTreeSet<ServiceId>)> {
        let until = self.session.until();
        let live = self.session.live(OPERATION, until).await?;
        self.open(&live, until).await?;
        let (found, odd) = match self.read_found(until).await {
            Ok(found) => found,
            Err(error) => {
                // A watch without a view behind it is none.
                self.stream.iter_mut().for_each(Stream::give_up);
                return Err(error);
            }
        };
        self.odd = odd;
        let mut missing: BTreeSet<ServiceId> = self.known.keys().cloned().collect();
        let (mut written, mut gone) = (Vec::new(), BTreeSet::new());
        for (child, record) in found {
            let Ok(id) = ServiceId::foreign(&child) else { continue };
            missing.remove(&id);
            let (service, left) = self.take(&id, &record);
            written.extend(service);
            if left {
                gone.insert(id);
            }
        }
        gone.extend(missing.into_iter().filter(|id| self.forget(id)));
        self.revision += 1;
        Ok((written, gone))
    }

    /// Reads everything that is there.
    async fn read_found(&self, until: Moment) -> Result<(Vec<(String, Found)>, BTreeSet<String>)> {
        let names = children(&self.session, OPERATION, until, &self.folder, false).await?;
        let (names, odd): (Vec<_>, Vec<_>) = names.into_iter().partition(|child| is_id(child));
        let found = read_all(&self.session, OPERATION, until, &self.folder, names).await?;
        readable(OPERATION, &self.folder, &found)?;
        Ok((found, odd.into_iter().collect()))
    }

    /// Takes a record into the view: the instance if it is news, and whether one went away.
    fn take(&mut self, id: &ServiceId, record: &Found) -> (Option<Service>, bool) {
        let before = self.known.get(id).copied();
        let (written, service) = match record {
            Found::Nothing => return (None, self.forget(id)),
            Found::Denied => (DENIED, None),
            Found::Record { stat, .. } if before.is_some_and(|known| known.written == stat.mzxid) => {
                return (None, false);
            }
            Found::Record { data, stat } => (stat.mzxid, decode(&self.session, &self.name, id, data).ok()),
        };
        let known = Known { written, readable: service.is_some() };
        self.known.insert(id.clone(), known);
        self.unreadable -= usize::from(before.is_some_and(|known| !known.readable));
        self.unreadable += usize::from(!known.readable);
        let left = before.is_some_and(|known| known.readable) && service.is_none();
        (service, left)
    }

    /// Takes an instance out of the view; false when it was not shown.
    fn forget(&mut self, id: &ServiceId) -> bool {
        let Some(known) = self.known.remove(id) else { return false };
        self.unreadable -= usize::from(!known.readable);
        known.readable
    }

    fn patch(&self, written: Vec<Service>, gone: impl IntoIterator<Item = ServiceId>) -> Patch {
        Patch::new(self.revision, written, gone).with_unreadable(self.unreadable + self.odd.len())
    }

    /// Takes note of an event; an error when the stream has broken.
    fn note(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Broken => Err(error(
                ErrorKind::Unavailable,
                OPERATION,
                format!("the link is broken; tried {}", self.session.tried()),
            )),
            Event::Gone(path) | Event::There(path) if child(&self.folder, &path).is_none() => Ok(()),
            Event::Gone(path) => {
                self.moved.extend(child(&self.folder, &path).map(|child| (child.to_owned(), false)));
                Ok(())
            }
            Event::There(path) => {
                self.moved.extend(child(&self.folder, &path).map(|child| (child.to_owned(), true)));
                Ok(())
            }
        }
    }

    /// Reads what has moved and takes it into the view.
    async fn catch_up(&mut self) -> Result<Patch, Break> {
        let there = self.moved.iter().filter(|(child, there)| **there && is_id(child));
        let wanted: Vec<String> = there.map(|(child, _)| child.clone()).collect();
        let until = self.session.until();
        let found = read_all(&self.session, OPERATION, until, &self.folder, wanted).await;
        let found = found.map_err(Break::Failed)?;
        let (mut written, mut gone) = (Vec::new(), BTreeSet::new());
        let mut removed = Vec::new();
        for (child, there) in std::mem::take(&mut self.moved) {
            match (is_id(&child), there) {
                (true, true) => {}
                (true, false) => removed.push((child, Found::Nothing)),
                (false, true) => drop(self.odd.insert(child)),
                (false, false) => drop(self.odd.remove(&child)),
            }
        }
        for (child, record) in found.into_iter().chain(removed) {
            let Ok(id) = ServiceId::foreign(&child) else { continue };
            let (service, left) = self.take(&id, &record);
            written.extend(service);
            if left {
                gone.insert(id);
            }
        }
        self.revision += 1;
        Ok(self.patch(written, gone))
    }
}

/// The name of a direct child.
fn child<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let child = path.strip_prefix(folder)?.strip_prefix('/')?;
    (!child.is_empty() && !child.contains('/')).then_some(child)
}

impl Source for Instances {
    type View = Snapshot;

    async fn list(&mut self) -> Result<Snapshot> {
        self.known.clear();
        self.unreadable = 0;
        let (services, _) = self.read().await?;
        Ok(Snapshot::new(self.name.clone(), self.revision, services)
            .with_unreadable(self.unreadable + self.odd.len()))
    }

    async fn resume(&mut self) -> Result<Patch, Break> {
        if self.stream.as_ref().is_some_and(|stream| !stream.is_broken()) {
            // Just listed, with the watch before it.
            return Ok(self.patch(Vec::new(), []));
        }
        let (written, gone) = self.read().await.map_err(Break::Failed)?;
        Ok(self.patch(written, gone))
    }

    async fn next(&mut self) -> Result<Patch, Break> {
        loop {
            if self.moved.is_empty() {
                let Some(stream) = &mut self.stream else {
                    return Err(Break::Failed(error(ErrorKind::Unavailable, OPERATION, "no watch is set")));
                };
                let event = stream.next().await;
                self.note(event).map_err(Break::Failed)?;
            }
            // All that has come meanwhile is one change.
            while let Some(event) = self.stream.as_mut().and_then(Stream::ready) {
                self.note(event).map_err(Break::Failed)?;
            }
            if !self.moved.is_empty() {
                // Dropped here nothing is lost: what moved is kept until it was read.
                return self.catch_up().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_direct_children_are_instances() {
        assert_eq!(child("/prod/api", "/prod/api/i-1"), Some("i-1"));
        for path in ["/prod/api", "/prod/api/", "/prod/api/i/deep", "/prod/apis/i", "/prod"] {
            assert_eq!(child("/prod/api", path), None, "{path}");
        }
    }
}
