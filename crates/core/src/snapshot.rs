//! A view of a service: all its instances at one revision.

use std::{borrow::Borrow, cmp::Ordering, fmt};

use rpds::RedBlackTreeSetSync;

use crate::{
    name::{ServiceId, ServiceName},
    patch::Patch,
    service::Service,
};

/// All instances of a service at one revision.
///
/// The index is persistent: a clone is a few pointer copies, and [`apply`](Snapshot::apply) shares what did not change.
#[derive(Clone)]
pub struct Snapshot {
    name: ServiceName,
    revision: u64,
    unreadable: usize,
    services: RedBlackTreeSetSync<ById>,
}

/// An instance as a member of an ordered set: its id is its place.
#[derive(Clone)]
struct ById(Service);

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        self.0.id().as_str()
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for ById {}

impl PartialOrd for ById {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ById {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.id().as_str().cmp(other.0.id().as_str())
    }
}

impl Snapshot {
    /// Makes a view; of several instances with one id the last stays.
    #[must_use]
    pub fn new(name: ServiceName, revision: u64, services: impl IntoIterator<Item = Service>) -> Self {
        let mut index = RedBlackTreeSetSync::new_sync();
        for service in services {
            index.insert_mut(ById(service));
        }
        Self { name, revision, unreadable: 0, services: index }
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
        self.services.size()
    }

    /// Whether there is no instance.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The instance with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Service> {
        self.services.get(id).map(|ById(service)| service)
    }

    /// All instances by id: the same order in every process.
    pub fn iter(&self) -> impl Iterator<Item = &Service> + '_ {
        self.services.iter().map(|ById(service)| service)
    }

    /// The view after `patch`, whose revision and count of unreadable records it takes.
    #[must_use]
    pub fn apply(&self, patch: &Patch) -> Self {
        let mut next = self.clone();
        for id in patch.removed() {
            next.services.remove_mut(id.as_str());
        }
        for service in patch.upserted() {
            next.services.insert_mut(ById(service.clone()));
        }
        next.revision = patch.revision();
        next.unreadable = patch.unreadable();
        next
    }

    /// The patch that leads from this view to `next`.
    #[must_use]
    pub fn diff(&self, next: &Self) -> Patch {
        let changed =
            next.iter().filter(|service| self.get(service.id().as_str()) != Some(*service)).cloned();
        let gone = self.iter().map(Service::id).filter(|id| next.get(id.as_str()).is_none()).cloned();
        Patch::new(next.revision, changed, gone.collect::<Vec<ServiceId>>()).with_unreadable(next.unreadable)
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
