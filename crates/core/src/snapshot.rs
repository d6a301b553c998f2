//! A view of a service: all its instances at one revision.

use std::{cmp::Ordering, fmt};

use crate::{
    name::{ServiceId, ServiceName},
    patch::Patch,
    service::Service,
    services::Services,
};

/// All instances of a service at one revision.
///
/// The index is persistent: a clone is two pointer copies, and [`apply`](Snapshot::apply) shares what did not change.
#[derive(Clone)]
pub struct Snapshot {
    name: ServiceName,
    revision: u64,
    unreadable: usize,
    services: Services,
}

impl Snapshot {
    /// Makes a view; of several instances with one id the last stays.
    #[must_use]
    pub fn new(name: ServiceName, revision: u64, services: impl IntoIterator<Item = Service>) -> Self {
        Self { name, revision, unreadable: 0, services: Services::new(services) }
    }

    /// The name of the service.
    #[must_use]
    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    /// The store's revision of this view where the store tells one, else a counter of the stream. Ordered within one stream only.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How many records, written by somebody else, could not be read and were left out (law L16).
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// Returns the view with that count.
    #[must_use]
    pub fn with_unreadable(mut self, count: usize) -> Self {
        self.unreadable = count;
        self
    }

    /// How many instances there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there is no instance.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.len() == 0
    }

    /// The instance with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Service> {
        self.services.get(id)
    }

    /// All instances by id: the same order in every process.
    pub fn iter(&self) -> impl Iterator<Item = &Service> + '_ {
        self.services.iter()
    }

    /// The view after `patch`, whose revision and count of unreadable records it takes.
    #[must_use]
    pub fn apply(&self, patch: &Patch) -> Self {
        Self {
            name: self.name.clone(),
            revision: patch.revision(),
            unreadable: patch.unreadable(),
            services: self.services.changed(patch.upserted(), patch.removed()),
        }
    }

    /// The patch that leads from this view to `next`.
    #[must_use]
    pub fn diff(&self, next: &Self) -> Patch {
        let (mut upserted, mut removed): (Vec<Service>, Vec<ServiceId>) = Default::default();
        let (mut old, mut new) = (self.iter().peekable(), next.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => old.id().cmp(new.id()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            let gone = if order == Ordering::Greater { None } else { old.next() };
            let come = if order == Ordering::Less { None } else { new.next() };
            match (gone, come) {
                (Some(gone), None) => removed.push(gone.id().clone()),
                (gone, Some(come)) if gone != Some(come) => upserted.push(come.clone()),
                _ => {}
            }
        }
        Patch::new(next.revision, upserted, removed).with_unreadable(next.unreadable)
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.revision == other.revision
            && self.unreadable == other.unreadable
            && self.len() == other.len()
            && self.iter().eq(other.iter())
    }
}

impl Eq for Snapshot {}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Ids<'a>(&'a Snapshot);
        impl fmt::Debug for Ids<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.0.iter().map(Service::id)).finish()
            }
        }
        f.debug_struct("Snapshot")
            .field("name", &self.name)
            .field("revision", &self.revision)
            .field("unreadable", &self.unreadable)
            .field("services", &Ids(self))
            .finish()
    }
}
