//! Reading the instances of a service: the names, all records in a few requests, then one recursive watch.
//!
//! The watch is set before the names are read, so that nothing falls between. A removal is told by its event alone; what was added or
//! changed is read, alone by one request, in a burst by one for hundreds. The library loses the watch at every reconnect and the server
//! never tells what was missed: then the watch is set anew, the names are read, and every record is compared by when it was written.

mod following;
mod lately;
mod listing;
mod members;
mod node;
mod reader;
mod stream;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use reception_core::{Moment, Patch, Result, ServiceId, ServiceName};

use lately::Lately;
use members::{Change, Members};
use node::{Node, numbered, sorted, understood};
use stream::Stream;

use crate::{
    error::native,
    session::{Live, Session},
};

pub(crate) use listing::list;
pub(crate) use reader::{Found, children, names, read_all, read_one, readable};

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
    lately: Lately,
}

/// A record of the view.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The transaction that wrote it last, or [`DENIED`].
    written: i64,
    readable: bool,
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
            lately: Lately::default(),
        }
    }

    /// Sets the watch on this session.
    async fn open(&mut self, live: &Live, until: Moment) -> Result<()> {
        self.moved.clear();
        let before = self.stream.take();
        let above = self
            .records
            .as_ref()
            .map_or(self.folder.as_str(), |records| following::above(&self.folder, records));
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
}
