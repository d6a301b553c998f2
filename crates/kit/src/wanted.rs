//! Which ids a client's own registrations hold.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// The ids that one client wants, so that a second registration of one is a conflict at once (law L8).
///
/// An id goes by its key in the store, and its holder by a mark of its own: a withdrawal may still go on when the next registration of the
/// same id begins.
#[derive(Debug, Default)]
pub struct Wanted(Mutex<BTreeMap<String, Holder>>);

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
    pub fn take(&self, key: &str, guid: Uuid) -> bool {
        let mut table = self.table();
        let free = table.get(key).is_none_or(|holder| holder.leaving);
        if free {
            table.insert(key.to_owned(), Holder { guid, leaving: false });
        }
        free
    }

    /// Marks the withdrawal; false when another registration has taken the id over.
    pub fn leave(&self, key: &str, guid: Uuid) -> bool {
        match self.table().get_mut(key) {
            Some(holder) if holder.guid == guid => {
                holder.leaving = true;
                true
            }
            _ => false,
        }
    }

    /// Whether some registration of this client has the id, also one that is being withdrawn.
    pub fn has(&self, key: &str) -> bool {
        self.table().contains_key(key)
    }

    /// Gives an id back, unless another registration has taken it over.
    pub fn forget(&self, key: &str, guid: Uuid) {
        let mut table = self.table();
        if table.get(key).is_some_and(|holder| holder.guid == guid) {
            table.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_once() {
        let (wanted, first) = (Wanted::default(), Uuid::new_v4());
        assert!(wanted.take("a", first) && !wanted.take("a", Uuid::new_v4()));
        assert!(wanted.take("b", Uuid::new_v4()), "another id is free");
        wanted.forget("a", first);
        assert!(!wanted.has("a") && wanted.take("a", Uuid::new_v4()));
    }

    #[test]
    fn an_id_that_is_withdrawn_may_be_taken_over_and_stays_with_the_new_owner() {
        let (wanted, first, second) = (Wanted::default(), Uuid::new_v4(), Uuid::new_v4());
        assert!(wanted.take("a", first) && wanted.leave("a", first));
        assert!(wanted.has("a"), "it is there until it is gone");
        assert!(wanted.take("a", second));
        assert!(!wanted.leave("a", first), "it must not remove what is another's");
        wanted.forget("a", first);
        assert!(wanted.has("a") && wanted.leave("a", second));
    }
}
