//! Reading the instances of a service: the names, all records in a few requests, then one recursive watch.
//!
//! The watch is set before the names are read, so that nothing falls between. A removal is told by its event alone; what was added or
//! changed is read, alone by one request, in a burst by one for hundreds. The library loses the watch at every reconnect and the server
//! never tells what was missed: then the watch is set anew, the names are read, and every record is compared by when it was written.

mod members;
mod reader;
mod stream;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use reception_core::{Error, ErrorKind, Moment, Patch, Result, Service, ServiceId, ServiceName, Snapshot};
use reception_kit::{Break, Source};

use members::{Change, Members};
use stream::{Event, Stream};

use crate::{
    error::{error, native},
    layout::{Child, Layout, Naming},
    session::{Live, Session},
};

pub(crate) use reader::{Found, children, names, read_all, read_one, readable};
use reader::{denied, read_all_as};

const OPERATION: &str = "watch";
/// What stands for the transaction of a record that may not be read.
const DENIED: i64 = -1;

/// The instances of one service.
#[derive(Debug)]
pub(crate) struct Instances {
    session: Arc<Session>,
    name: ServiceName,
    folder: String,
    /// Where the records stand, if not in the folder.
    records: Option<String>,
    /// The nodes by their names.
    known: BTreeMap<ServiceId, Known>,
    /// What stands in the folder and is nothing that the layout knows.
    odd: BTreeSet<String>,
    /// What the nodes show, where that is not one instance each.
    members: Option<Members>,
    unreadable: usize,
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
    let layout = &session.paths.layout;
    let folder = session.paths.instances(name);
    let (names, odd) = sorted(&**layout, children(session, OPERATION, until, &folder, true).await?);
    let records = session.paths.records(&folder).unwrap_or(folder);
    let take = |child: String, record: Found| match record {
        Found::Record { data, stat } => Some((stat.mzxid, understood(session, name, &child, data))),
        Found::Denied => Some((DENIED, Err(native(OPERATION, &child, zookeeper_client::Error::NoAuth)))),
        Found::Nothing => None,
    };
    let found = read_all_as(session, OPERATION, until, &records, names, take).await?;
    let found: Vec<_> = found.into_iter().flatten().collect();
    let revision = found.iter().map(|(written, _)| *written).max().unwrap_or_default();
    if revision == DENIED {
        return Err(denied(OPERATION, &records));
    }
    let mut members = numbered(layout);
    let (mut services, mut unreadable) = (Vec::with_capacity(found.len()), odd.len());
    for (_, node) in found {
        match (node, &mut members) {
            (Ok(Node::Instance(service)), _) => services.push(service),
            (Ok(Node::Numbered { child, number, service }), Some(members)) => {
                members.put(&child, number, service);
            }
            (Ok(Node::Weights { child, record }), Some(members)) => members.weigh(&child, Some(record)),
            _ => unreadable += 1,
        }
    }
    services.extend(members.into_iter().flat_map(|mut members| members.settle().written));
    let revision = u64::try_from(revision).unwrap_or_default();
    Ok(Snapshot::new(name.clone(), revision, services).with_unreadable(unreadable))
}

/// What a node says.
enum Node {
    Instance(Service),
    Numbered { child: ServiceId, number: u32, service: Service },
    Weights { child: ServiceId, record: Vec<u8> },
}

/// Reads a node; a layout that makes another instance of it has not understood it.
fn understood(session: &Session, name: &ServiceName, child: &str, data: Vec<u8>) -> Result<Node> {
    let layout = &session.paths.layout;
    let odd = |what: &str| Err(error(ErrorKind::Protocol, "decode", format!("{name}/{child}: {what}")));
    let numbered = layout.naming() == Naming::Numbered;
    match layout.child(child) {
        Child::Instance { id, number } => {
            let service = layout.decode(name, &id, &data)?;
            if service.name() != name || (!numbered && *service.id() != id) {
                return odd("the layout reads another instance");
            }
            if !numbered {
                return Ok(Node::Instance(service));
            }
            Ok(Node::Numbered { child: ServiceId::foreign(child)?, number, service })
        }
        Child::Weights if numbered && layout.weighs(&data) => {
            Ok(Node::Weights { child: ServiceId::foreign(child)?, record: data })
        }
        _ => odd("no instance"),
    }
}

/// Tells what is to be read from what is nothing that the layout knows.
fn sorted(layout: &dyn Layout, names: Vec<String>) -> (Vec<String>, BTreeSet<String>) {
    let (mut wanted, mut odd) = (Vec::with_capacity(names.len()), BTreeSet::new());
    for name in names {
        match layout.child(&name) {
            // What counts beside the name has a name that can be an id.
            Child::Instance { .. } | Child::Weights if ServiceId::foreign(&name).is_ok() => wanted.push(name),
            Child::Other => {}
            _ => drop(odd.insert(name)),
        }
    }
    (wanted, odd)
}

fn numbered(layout: &Arc<dyn Layout>) -> Option<Members> {
    (layout.naming() == Naming::Numbered).then(|| Members::new(layout))
}

impl Instances {
    pub(crate) fn new(session: &Arc<Session>, name: &ServiceName) -> Self {
        let folder = session.paths.instances(name);
        Self {
            session: Arc::clone(session),
            name: name.clone(),
            records: session.paths.records(&folder),
            folder,
            known: BTreeMap::new(),
            odd: BTreeSet::new(),
            members: numbered(&session.paths.layout),
            unreadable: 0,
            revision: 0,
            stream: None,
            moved: BTreeMap::new(),
        }
    }

    /// Sets the watch on this session.
    async fn open(&mut self, live: &Live, until: Moment) -> Result<()> {
        self.moved.clear();
        let before = self.stream.take();
        let above =
            self.records.as_ref().map_or(self.folder.as_str(), |records| above(&self.folder, records));
        let watch = live.client.watch(above, zookeeper_client::AddWatchMode::PersistentRecursive);
        let watcher = self.session.send(OPERATION, until, watch).await?;
        let watcher = watcher.map_err(|wrong| native(OPERATION, &format!("watching {above}"), wrong))?;
        self.stream = Some(Stream::new(live, watcher));
        // After the new one: the server's own watch is the same for both.
        drop(before);
        Ok(())
    }

    /// Sets the watch and reads everything; what differs from what is known, as one change.
    async fn read(&mut self) -> Result<Change> {
        let until = self.session.until();
        let live = self.session.live(OPERATION, until).await?;
        self.open(&live, until).await?;
        let found = match self.fetch_all(until).await {
            Ok(found) => found,
            Err(error) => {
                // A watch without a view behind it is none.
                self.stream.iter_mut().for_each(Stream::give_up);
                return Err(error);
            }
        };
        let mut gone: BTreeSet<ServiceId> = self.known.keys().cloned().collect();
        let mut change = Change::default();
        for (child, record) in found {
            let Ok(key) = ServiceId::foreign(&child) else { continue };
            gone.remove(&key);
            self.take(&key, record, &mut change);
        }
        for key in gone {
            self.take(&key, Found::Nothing, &mut change);
        }
        self.settle(&mut change);
        Ok(change)
    }

    async fn fetch_all(&mut self, until: Moment) -> Result<Vec<(String, Found)>> {
        let names = children(&self.session, OPERATION, until, &self.folder, false).await?;
        let (names, odd) = sorted(&*self.session.paths.layout, names);
        self.odd = odd;
        let records = self.records.as_ref().unwrap_or(&self.folder);
        let found = read_all(&self.session, OPERATION, until, records, names).await?;
        readable(OPERATION, records, &found)?;
        Ok(found)
    }

    /// Reads these; where records stand apart, one counts only with its node in the folder.
    async fn fetch(&self, mut names: Vec<String>, until: Moment) -> Result<Vec<(String, Found)>> {
        let in_folder = read_all(&self.session, OPERATION, until, &self.folder, names).await?;
        let Some(records) = &self.records else { return Ok(in_folder) };
        let (there, missing): (Vec<_>, Vec<_>) =
            in_folder.into_iter().partition(|(_, found)| matches!(found, Found::Record { .. }));
        names = there.into_iter().map(|(child, _)| child).collect();
        let mut found = read_all(&self.session, OPERATION, until, records, names).await?;
        found.extend(missing);
        Ok(found)
    }

    /// Takes a node into the view, or that it is gone; unless the nodes are instances alone, [`settle`](Self::settle) tells what changed.
    fn take(&mut self, key: &ServiceId, record: Found, change: &mut Change) {
        let before = self.known.get(key).copied();
        let (written, node) = match record {
            Found::Nothing => return self.forget(key, change),
            Found::Denied => (DENIED, None),
            Found::Record { stat, .. } if before.is_some_and(|known| known.written == stat.mzxid) => return,
            Found::Record { data, stat } => {
                (stat.mzxid, understood(&self.session, &self.name, key.as_str(), data).ok())
            }
        };
        self.unreadable -= usize::from(before.is_some_and(|known| !known.readable));
        self.unreadable += usize::from(node.is_none());
        self.known.insert(key.clone(), Known { written, readable: node.is_some() });
        match (node, &mut self.members) {
            (Some(Node::Numbered { number, service, .. }), Some(members)) => {
                members.put(key, number, service);
            }
            (Some(Node::Weights { record, .. }), Some(members)) => members.weigh(key, Some(record)),
            (_, Some(members)) => {
                members.remove(key);
                members.weigh(key, None);
            }
            (Some(Node::Instance(service)), None) => change.written.push(service),
            (_, None) if before.is_some_and(|known| known.readable) => drop(change.gone.insert(key.clone())),
            (_, None) => {}
        }
    }

    /// Takes a node out of the view.
    fn forget(&mut self, key: &ServiceId, change: &mut Change) {
        let Some(known) = self.known.remove(key) else { return };
        self.unreadable -= usize::from(!known.readable);
        match &mut self.members {
            Some(members) => {
                members.remove(key);
                members.weigh(key, None);
            }
            None if known.readable => drop(change.gone.insert(key.clone())),
            None => {}
        }
    }

    /// Ends a change: it is a view of its own.
    fn settle(&mut self, change: &mut Change) {
        if let Some(members) = &mut self.members {
            *change = members.settle();
        }
        self.revision += 1;
    }

    fn unread(&self) -> usize {
        self.unreadable + self.odd.len()
    }

    fn patch(&self, change: Change) -> Patch {
        Patch::new(self.revision, change.written, change.gone).with_unreadable(self.unread())
    }

    /// Takes note of an event; an error when the stream has broken.
    fn note(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Broken => Err(error(
                ErrorKind::Unavailable,
                OPERATION,
                format!("the link is broken; tried {}", self.session.tried()),
            )),
            Event::Gone(path) => {
                match (child(&self.folder, &path), self.records.as_ref()) {
                    (Some(child), _) => drop(self.moved.insert(child.to_owned(), false)),
                    (None, Some(records)) => self.look_at(child(records, &path)),
                    (None, None) => {}
                }
                Ok(())
            }
            Event::There(path) => {
                let records = self.records.as_ref().and_then(|records| child(records, &path));
                self.look_at(child(&self.folder, &path).or(records));
                Ok(())
            }
        }
    }

    fn look_at(&mut self, child: Option<&str>) {
        self.moved.extend(child.map(|child| (child.to_owned(), true)));
    }

    /// Reads what has moved and takes it into the view; none when that changes nothing of it.
    async fn catch_up(&mut self) -> Result<Option<Patch>, Break> {
        let unread = self.unread();
        let there = self.moved.iter().filter(|(_, there)| **there).map(|(child, _)| child.clone());
        let (wanted, mut odd) = sorted(&*self.session.paths.layout, there.collect());
        let found = self.fetch(wanted, self.session.until()).await.map_err(Break::Failed)?;
        let removed = std::mem::take(&mut self.moved).into_iter().filter(|(_, there)| !there);
        let removed: Vec<_> = removed.map(|(child, _)| (child, Found::Nothing)).collect();
        self.odd.append(&mut odd);
        let mut change = Change::default();
        for (child, record) in found.into_iter().chain(removed) {
            if matches!(record, Found::Nothing) {
                self.odd.remove(&child);
            }
            let Ok(key) = ServiceId::foreign(&child) else { continue };
            self.take(&key, record, &mut change);
        }
        self.settle(&mut change);
        let changed = !change.written.is_empty() || !change.gone.is_empty() || self.unread() != unread;
        Ok(changed.then(|| self.patch(change)))
    }
}

/// The folder that holds both.
fn above<'a>(one: &'a str, other: &str) -> &'a str {
    let parts = one.split('/').zip(other.split('/')).take_while(|(one, other)| one == other);
    let length: usize = parts.map(|(part, _)| part.len() + 1).sum();
    &one[..length.saturating_sub(1)]
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
        self.odd.clear();
        self.members = numbered(&self.session.paths.layout);
        self.unreadable = 0;
        let change = self.read().await?;
        let view = Snapshot::new(self.name.clone(), self.revision, change.written);
        Ok(view.with_unreadable(self.unread()))
    }

    async fn resume(&mut self) -> Result<Patch, Break> {
        if self.stream.as_ref().is_some_and(|stream| !stream.is_broken()) {
            // Just listed, with the watch before it.
            return Ok(self.patch(Change::default()));
        }
        let change = self.read().await.map_err(Break::Failed)?;
        Ok(self.patch(change))
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
                if let Some(patch) = self.catch_up().await? {
                    return Ok(patch);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_above_two_is_the_longest_that_holds_both() {
        assert_eq!(above("/a/b/namespaces/x", "/a/b/servers"), "/a/b");
        assert_eq!(above("/a/servers", "/a/servers"), "/a/servers");
    }

    #[test]
    fn only_direct_children_are_instances() {
        assert_eq!(child("/prod/api", "/prod/api/i-1"), Some("i-1"));
        for path in ["/prod/api", "/prod/api/", "/prod/api/i/deep", "/prod/apis/i", "/prod"] {
            assert_eq!(child("/prod/api", path), None, "{path}");
        }
    }
}
