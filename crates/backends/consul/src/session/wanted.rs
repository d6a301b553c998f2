//! Who of this client wants which id.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// The ids that this client wants, so that a second registration of one is a conflict at once (law L8).
#[derive(Debug, Default)]
pub(crate) struct Wanted(Mutex<BTreeMap<String, Holder>>);

#[derive(Debug)]
struct Holder {
    guid: Uuid,
    /// Its withdrawal has begun: another registration may take the id over.
    leaving: bool,
}

impl Wanted {
    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an id that nobody has, or whose registration is being withdrawn.
    pub(crate) fn take(&self, key: &str, guid: Uuid) -> bool {
        let mut table = self.table();
        let free = table.get(key).is_none_or(|holder| holder.leaving);
        if free {
            table.insert(key.to_owned(), Holder { guid, leaving: false });
        }
        free
    }

    /// Marks the withdrawal; false when another registration has taken the id over.
    pub(crate) fn leave(&self, key: &str, guid: Uuid) -> bool {
        match self.table().get_mut(key) {
            Some(holder) if holder.guid == guid => {
                holder.leaving = true;
                true
            }
            _ => false,
        }
    }

    /// Gives an id back, unless another registration has taken it over.
    pub(crate) fn forget(&self, key: &str, guid: Uuid) {
        let mut table = self.table();
        if table.get(key).is_some_and(|holder| holder.guid == guid) {
            table.remove(key);
        }
    }
}
