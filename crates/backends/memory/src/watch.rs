//! What is watched: all records of a service or the leader of an election, then the changes of its folder.

use std::collections::{BTreeMap, BTreeSet};

use reception_core::{Patch, Result, Service, ServiceId, ServiceName, Snapshot};
use reception_kit::{Break, Holder, Source, record};

use crate::{
    elect::{domain_of, leader},
    layout::tail,
    line::{Line, Watch},
    store::{Change, Entry, Position},
};

const OPERATION: &str = "watch";
const OBSERVE: &str = "observe";

/// The records of one service, as they come.
#[derive(Debug)]
pub(crate) struct Instances {
    line: Line,
    name: ServiceName,
    folder: String,
    position: Position,
    /// Ids of records that cannot be read (law L16).
    unreadable: BTreeSet<String>,
    watch: Option<Watch>,
}

impl Instances {
    pub(crate) fn new(line: Line, name: ServiceName, folder: String) -> Self {
        Self { line, name, folder, position: Position::default(), unreadable: BTreeSet::new(), watch: None }
    }

    fn patch(&mut self, changes: &[Change], position: Position) -> Patch {
        let mut last: BTreeMap<&str, Option<Service>> = BTreeMap::new();
        // Ids that readers did not see before these changes: what came and went between is no removal.
        let mut unseen = BTreeSet::new();
        for change in changes {
            let Some(id) = tail(&self.folder, &change.key) else { continue };
            if !last.contains_key(id) && (change.fresh || self.unreadable.contains(id)) {
                unseen.insert(id);
            }
            self.unreadable.remove(id);
            let service = change.value.as_deref().and_then(|bytes| {
                let service = read(&self.name, id, bytes);
                if service.is_none() {
                    self.unreadable.insert(id.to_owned());
                }
                service
            });
            last.insert(id, service);
        }
        self.position = position;
        let (mut upserted, mut removed) = (Vec::new(), Vec::new());
        for (id, service) in last {
            match service {
                Some(service) => upserted.push(service),
                None if unseen.contains(id) => {}
                None => removed.extend(ServiceId::foreign(id)),
            }
        }
        Patch::new(position.revision, upserted, removed).with_unreadable(self.unreadable.len())
    }
}

impl Source for Instances {
    type View = Snapshot;

    async fn list(&mut self) -> Result<Snapshot> {
        self.watch = None;
        let (entries, position) =
            self.line.ask(OPERATION, |store, _| (store.range(&self.folder), store.position())).await?;
        let (snapshot, unreadable) = snapshot(&self.name, &self.folder, &entries, position);
        self.position = position;
        self.unreadable = unreadable;
        Ok(snapshot)
    }

    async fn resume(&mut self) -> Result<Patch, Break> {
        // The old one first: a client has one watch of a service at a time (law L17).
        self.watch = None;
        let mut watch = Watch::open(&self.line, OPERATION, &self.folder, Some(self.position)).await?;
        let changes = watch.missed()?;
        let patch = self.patch(&changes, watch.position());
        self.watch = Some(watch);
        Ok(patch)
    }

    async fn next(&mut self) -> Result<Patch, Break> {
        let Some(watch) = &mut self.watch else { return self.resume().await };
        let changes = watch.next().await?;
        let position = watch.position();
        Ok(self.patch(&changes, position))
    }
}

/// Who leads an election, as it changes.
#[derive(Debug)]
pub(crate) struct Leaders {
    line: Line,
    folder: String,
    domain: String,
    position: Position,
    /// The record of the leader and what it says.
    first: Option<String>,
    holder: Holder,
    watch: Option<Watch>,
}

impl Leaders {
    pub(crate) fn new(line: Line, (folder, domain): (String, String)) -> Self {
        let (position, holder) = (Position::default(), Holder::default());
        Self { line, folder, domain, position, first: None, holder, watch: None }
    }

    async fn read(&mut self) -> Result<Holder> {
        let (entries, domain, position) = self
            .line
            .call(OBSERVE, |store, _| {
                Ok((store.range(&self.folder), domain_of(store, &self.domain)?, store.position()))
            })
            .await?;
        let standing = entries.into_iter().filter(|(key, _)| tail(&self.folder, key).is_some());
        let first = standing.min_by_key(|(_, entry)| entry.created);
        self.position = position;
        self.holder = Holder::from(first.as_ref().map(|(_, entry)| leader(domain, entry)));
        self.first = first.map(|(key, _)| key);
        Ok(self.holder.clone())
    }
}

impl Source for Leaders {
    type View = Holder;

    async fn list(&mut self) -> Result<Holder> {
        self.watch = None;
        self.read().await
    }

    async fn resume(&mut self) -> Result<Holder, Break> {
        self.watch = None;
        self.watch = Some(Watch::open(&self.line, OBSERVE, &self.folder, Some(self.position)).await?);
        self.read().await.map_err(Break::Failed)
    }

    async fn next(&mut self) -> Result<Holder, Break> {
        loop {
            let Some(watch) = &mut self.watch else { return self.resume().await };
            let changes = watch.next().await?;
            // Who joins or leaves the queue behind the leader changes nothing.
            let first = self.first.as_ref();
            if first.is_none_or(|first| changes.iter().any(|change| change.key == *first)) {
                // Until it is read, a change that was taken must not be forgotten.
                self.watch = None;
                return self.resume().await;
            }
        }
    }
}

/// Reads all records of a service; those that cannot be read are named by their ids.
pub(crate) fn snapshot(
    name: &ServiceName,
    folder: &str,
    entries: &[(String, Entry)],
    position: Position,
) -> (Snapshot, BTreeSet<String>) {
    let mut unreadable = BTreeSet::new();
    let services = entries.iter().filter_map(|(key, entry)| {
        let id = tail(folder, key)?;
        let service = read(name, id, &entry.value);
        if service.is_none() {
            unreadable.insert(id.to_owned());
        }
        service
    });
    let view = Snapshot::new(name.clone(), position.revision, services.collect::<Vec<_>>());
    (view.with_unreadable(unreadable.len()), unreadable)
}

fn read(name: &ServiceName, id: &str, bytes: &[u8]) -> Option<Service> {
    record::decode(name, &ServiceId::foreign(id).ok()?, bytes).ok()
}
