//! The difference of two views.

use std::{collections::BTreeMap, sync::Arc};

use crate::{name::ServiceId, service::Service};

/// The difference of two views of a service; never a history: a replaced instance is one upsert.
///
/// A clone is a pointer copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch(Arc<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    revision: u64,
    unreadable: usize,
    upserted: Box<[Service]>,
    removed: Box<[ServiceId]>,
}

impl Patch {
    /// Makes a patch that leads to the view at `revision`; both parts are sorted by id, and an id given in both is an upsert.
    #[must_use]
    pub fn new(
        revision: u64,
        upserted: impl IntoIterator<Item = Service>,
        removed: impl IntoIterator<Item = ServiceId>,
    ) -> Self {
        let mut changes: BTreeMap<ServiceId, Option<Service>> =
            removed.into_iter().map(|id| (id, None)).collect();
        changes.extend(upserted.into_iter().map(|service| (service.id().clone(), Some(service))));
        Self::from_changes(revision, 0, changes)
    }

    fn from_changes(revision: u64, unreadable: usize, changes: BTreeMap<ServiceId, Option<Service>>) -> Self {
        let (mut upserted, mut removed) = (Vec::new(), Vec::new());
        for (id, change) in changes {
            match change {
                Some(service) => upserted.push(service),
                None => removed.push(id),
            }
        }
        Self(Arc::new(Inner { revision, unreadable, upserted: upserted.into(), removed: removed.into() }))
    }

    /// The revision of the view after it.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.revision
    }

    /// How many records of the view after it could not be read (law L16).
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.0.unreadable
    }

    /// Returns the patch with that count.
    #[must_use]
    pub fn with_unreadable(mut self, count: usize) -> Self {
        Arc::make_mut(&mut self.0).unreadable = count;
        self
    }

    /// Whether no instance changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.upserted.is_empty() && self.0.removed.is_empty()
    }

    /// Instances that are new or changed, by id.
    #[must_use]
    pub fn upserted(&self) -> &[Service] {
        &self.0.upserted
    }

    /// Ids of instances that are gone, in order.
    #[must_use]
    pub fn removed(&self) -> &[ServiceId] {
        &self.0.removed
    }

    /// The one patch that does what this one and then `later` do: how the pending changes of a slow reader stay bounded.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        let mut changes = self.changes();
        changes.extend(later.changes());
        Self::from_changes(later.revision(), later.unreadable(), changes)
    }

    fn changes(&self) -> BTreeMap<ServiceId, Option<Service>> {
        let upserted = self.upserted().iter().map(|service| (service.id().clone(), Some(service.clone())));
        upserted.chain(self.removed().iter().map(|id| (id.clone(), None))).collect()
    }
}
