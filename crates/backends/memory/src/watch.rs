//! One watch of a service: all of its records, then the changes of its folder.

use std::collections::{BTreeMap, BTreeSet};

use reception_core::{Patch, Result, Service, ServiceId, ServiceName, Snapshot};
use reception_kit::{Break, Source, record};

use crate::{
    layout::tail,
    line::{Line, Watch},
    store::{Change, Entry, Position},
};

const OPERATION: &str = "watch";

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
