//! The store itself: records, leases, a bounded log of changes, watches. Pure: whoever calls brings the time.

mod history;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use reception_core::Moment;
use tokio::sync::Notify;

use crate::{error::Refusal, layout::Namespace};

/// One record.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) value: Arc<[u8]>,
    /// The revision that made it: what a fencing token counts.
    pub(crate) created: u64,
    lease: Option<u64>,
}

/// One change of one record. Changes of one revision happened together.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    revision: u64,
    pub(crate) key: String,
    /// None: the record is gone.
    pub(crate) value: Option<Arc<[u8]>>,
    /// Whether there was no such record before.
    pub(crate) fresh: bool,
    /// Which client holds the record now; none when its writer is no client.
    pub(crate) owner: Option<u64>,
}

/// A place in the history: of which data, and after which revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    era: u64,
    pub(crate) revision: u64,
}

#[derive(Debug)]
struct Lease {
    client: u64,
    space: Namespace,
    ttl: Duration,
    until: Moment,
    keys: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    era: u64,
    revision: u64,
    forgotten: u64,
    entries: BTreeMap<String, Entry>,
    leases: BTreeMap<u64, Lease>,
    deadlines: BTreeSet<(Moment, u64)>,
    log: VecDeque<Change>,
    watches: BTreeMap<(String, u64), Arc<Notify>>,
    connection: u64,
    thaw: Option<Moment>,
    requests: u64,
    bytes: u64,
}

// === leases ===

impl Store {
    /// Ends every lease whose time is over. Called before anything else is looked at.
    pub(crate) fn sweep(&mut self, now: Moment) {
        while let Some(&(until, lease)) = self.deadlines.first()
            && until <= now
        {
            self.revoke(lease);
        }
    }

    /// When the next lease ends, if nobody renews it.
    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        self.deadlines.first().map(|&(until, _)| until)
    }

    /// Grants a lease; asking again for the same one renews it.
    pub(crate) fn grant(
        &mut self,
        lease: u64,
        (client, space): (u64, &Namespace),
        ttl: Duration,
        now: Moment,
    ) {
        let grant = || Lease { client, space: space.clone(), ttl, until: now, keys: BTreeSet::new() };
        self.leases.entry(lease).or_insert_with(grant);
        self.set_until(lease, now.saturating_add(ttl));
    }

    /// Lets a lease begin anew.
    pub(crate) fn renew(&mut self, lease: u64, now: Moment) -> Result<(), Refusal> {
        let ttl = self.leases.get(&lease).ok_or(Refusal::NoLease)?.ttl;
        self.set_until(lease, now.saturating_add(ttl));
        Ok(())
    }

    fn set_until(&mut self, lease: u64, until: Moment) {
        if let Some(held) = self.leases.get_mut(&lease) {
            self.deadlines.remove(&(held.until, lease));
            held.until = until;
            self.deadlines.insert((until, lease));
        }
    }

    /// Ends a lease and all of its records, in one revision.
    pub(crate) fn revoke(&mut self, lease: u64) {
        let Some(ended) = self.leases.remove(&lease) else { return };
        self.deadlines.remove(&(ended.until, lease));
        if ended.keys.is_empty() {
            return;
        }
        self.revision += 1;
        for key in ended.keys {
            self.entries.remove(&key);
            self.tell(key, None, false);
        }
    }

    /// The leases of a client.
    pub(crate) fn leases_of(&self, client: u64) -> Vec<u64> {
        self.leases.iter().filter(|(_, lease)| lease.client == client).map(|(&id, _)| id).collect()
    }
}

// === records ===

impl Store {
    pub(crate) fn position(&self) -> Position {
        Position { era: self.era, revision: self.revision }
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<Entry> {
        let entry = self.entries.get(key).cloned()?;
        self.bytes += weight(key, &entry.value);
        Some(entry)
    }

    /// The record, when this client is its owner.
    pub(crate) fn own(&self, key: &str, client: u64) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| self.owner(entry) == Some(client))
    }

    fn owner(&self, entry: &Entry) -> Option<u64> {
        Some(self.leases.get(&entry.lease?)?.client)
    }

    /// All records whose place begins with the prefix.
    pub(crate) fn range(&mut self, prefix: &str) -> Vec<(String, Entry)> {
        let found: Vec<_> = self
            .entries
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        self.bytes += found.iter().map(|(key, entry)| weight(key, &entry.value)).sum::<u64>();
        found
    }

    /// The folders inside a folder, by the part of their names that is their own.
    pub(crate) fn folders(&self, folder: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut from = folder.to_owned();
        while let Some(rest) =
            self.entries.range(from.clone()..).next().and_then(|(key, _)| key.strip_prefix(folder))
        {
            match rest.split_once('/') {
                // The character after the slash: on to the next folder, however many records this one has.
                Some((name, _)) => {
                    found.insert(name.to_owned());
                    from = format!("{folder}{name}0");
                }
                None => from = format!("{folder}{rest}\0"),
            }
        }
        found
    }

    /// Puts a record under a lease: where there is none, over one of the same client, or over any when `replace`.
    pub(crate) fn claim(
        &mut self,
        key: &str,
        value: Vec<u8>,
        lease: u64,
        replace: bool,
    ) -> Result<(), Refusal> {
        let client = self.leases.get(&lease).ok_or(Refusal::NoLease)?.client;
        if let Some(entry) = self.entries.get(key) {
            let ours = self.owner(entry) == Some(client);
            if !ours && !replace {
                return Err(Refusal::Taken);
            }
            if ours && entry.lease == Some(lease) && *entry.value == *value {
                return Ok(());
            }
        }
        self.bytes += weight(key, &value);
        self.put(key, value, Some(lease));
        Ok(())
    }

    /// Writes a record whoever holds it; without a lease it stays until it is removed.
    pub(crate) fn put(&mut self, key: &str, value: Vec<u8>, lease: Option<u64>) {
        let before = self.entries.get(key);
        let fresh = before.is_none();
        let held = before.and_then(|entry| entry.lease);
        self.revision += 1;
        let created = before.map_or(self.revision, |entry| entry.created);
        if let Some(held) = held.and_then(|held| self.leases.get_mut(&held)) {
            held.keys.remove(key);
        }
        if let Some(lease) = lease.and_then(|lease| self.leases.get_mut(&lease)) {
            lease.keys.insert(key.to_owned());
        }
        let value: Arc<[u8]> = value.into();
        self.entries.insert(key.to_owned(), Entry { value: Arc::clone(&value), created, lease });
        self.tell(key.to_owned(), Some(value), fresh);
    }

    /// Removes a record, whoever holds it.
    pub(crate) fn remove(&mut self, key: &str) {
        let Some(entry) = self.entries.remove(key) else { return };
        if let Some(lease) = entry.lease.and_then(|lease| self.leases.get_mut(&lease)) {
            lease.keys.remove(key);
        }
        self.revision += 1;
        self.tell(key.to_owned(), None, false);
    }
}

fn weight(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::{history::LOG, *};

    const TTL: Duration = Duration::from_secs(3);

    fn at(seconds: u64) -> Moment {
        Moment::from_duration(Duration::from_secs(seconds))
    }

    fn here() -> Namespace {
        Namespace::parse("").unwrap()
    }

    fn put(store: &mut Store, key: &str, lease: u64) -> Result<(), Refusal> {
        store.claim(key, b"x".to_vec(), lease, false)
    }

    #[test]
    fn a_lease_ends_at_its_time_and_not_before() {
        let mut store = Store::default();
        store.grant(1, (7, &here()), TTL, at(0));
        put(&mut store, "services/api/a", 1).unwrap();
        store.sweep(Moment::from_duration(TTL - Duration::from_nanos(1)));
        assert!(store.get("services/api/a").is_some());
        store.sweep(at(3));
        assert!(store.get("services/api/a").is_none());
        assert_eq!(store.renew(1, at(3)), Err(Refusal::NoLease));
    }

    #[test]
    fn a_renewal_begins_anew() {
        let mut store = Store::default();
        store.grant(1, (7, &here()), TTL, at(0));
        store.renew(1, at(2)).unwrap();
        assert_eq!(store.next_expiry(), Some(at(5)));
    }

    #[test]
    fn only_the_owner_writes_over_a_record() {
        let mut store = Store::default();
        store.grant(1, (7, &here()), TTL, at(0));
        store.grant(2, (8, &here()), TTL, at(0));
        store.grant(3, (7, &here()), TTL, at(0));
        put(&mut store, "services/api/a", 1).unwrap();
        assert_eq!(put(&mut store, "services/api/a", 2), Err(Refusal::Taken));
        put(&mut store, "services/api/a", 3).unwrap();
        store.revoke(1);
        assert!(store.get("services/api/a").is_some(), "it hangs on the later lease of the same client");
    }

    #[test]
    fn the_same_bytes_make_no_revision() {
        let mut store = Store::default();
        store.grant(1, (7, &here()), TTL, at(0));
        put(&mut store, "services/api/a", 1).unwrap();
        let before = store.position();
        put(&mut store, "services/api/a", 1).unwrap();
        assert_eq!(store.position(), before);
    }

    #[test]
    fn a_reader_behind_the_log_has_a_gap() {
        let mut store = Store::default();
        let start = store.position();
        for _ in 0..=LOG {
            store.put("services/api/a", Vec::new(), None);
        }
        assert_eq!(store.changes("services/api/", start).err(), Some(Refusal::Forgotten));
        let near = Position { revision: store.revision - 2, ..store.position() };
        assert_eq!(store.changes("services/api/", near).unwrap().len(), 2);
        store.compact();
        assert_eq!(store.changes("services/api/", near).err(), Some(Refusal::Forgotten));
        assert!(store.changes("services/api/", store.position()).unwrap().is_empty());
    }

    #[test]
    fn other_data_are_a_gap_whatever_the_revision() {
        let mut store = Store::default();
        store.put("services/api/a", Vec::new(), None);
        let before = store.position();
        store.wipe();
        store.put("services/api/b", Vec::new(), None);
        assert_eq!(store.changes("services/api/", before).err(), Some(Refusal::Forgotten));
    }

    #[test]
    fn a_change_signals_its_own_watches_alone() {
        let mut store = Store::default();
        let (near, far) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        store.open("services/api/", 1, Arc::clone(&near));
        store.open("services/web/", 2, Arc::clone(&far));
        store.put("services/api/a", Vec::new(), None);
        let ready = |signal: &Notify| {
            let mut wait = Box::pin(signal.notified());
            wait.as_mut().enable()
        };
        assert!(ready(&near));
        assert!(!ready(&far));
        assert_eq!(store.service_watches(), 2);
    }
}
