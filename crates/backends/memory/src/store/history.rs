//! What has changed and who waits for it; what faults and meters see of the store.

use std::{sync::Arc, time::Duration};

use reception_core::Moment;
use tokio::sync::Notify;

use super::{Change, Position, Store, weight};
use crate::{
    error::Refusal,
    layout::{Namespace, folder, is_service_folder},
};

/// How many changes the log keeps; a watch that is further behind has a gap.
pub(super) const LOG: usize = 4096;

// === history and watches ===

impl Store {
    pub(super) fn tell(&mut self, key: String, value: Option<Arc<[u8]>>, fresh: bool) {
        for scope in [key.as_str(), folder(&key)] {
            let of_scope = (scope.to_owned(), 0)..=(scope.to_owned(), u64::MAX);
            self.watches.range(of_scope).for_each(|(_, signal)| signal.notify_one());
        }
        let owner = self.entries.get(&key).and_then(|entry| self.owner(entry));
        self.log.push_back(Change { revision: self.revision, key, value, fresh, owner });
        if self.log.len() > LOG {
            self.forget(LOG);
        }
    }

    /// Forgets the oldest changes until at most this many are left; the changes of one revision go together.
    fn forget(&mut self, keep: usize) {
        while self.log.len() > keep
            || self.log.front().is_some_and(|change| change.revision <= self.forgotten)
        {
            if let Some(change) = self.log.pop_front() {
                self.forgotten = change.revision;
            }
        }
    }

    /// Forgets all changes up to now: whoever is behind has a gap.
    pub(crate) fn compact(&mut self) {
        self.log.clear();
        self.forgotten = self.revision;
    }

    /// Whether the log still has all changes after a position.
    pub(crate) fn reaches(&self, since: Position) -> Result<(), Refusal> {
        let kept = since.era == self.era && since.revision >= self.forgotten;
        if kept { Ok(()) } else { Err(Refusal::Forgotten) }
    }

    /// The changes after a position to the record of this name, or to the records of this folder when it ends in a slash.
    pub(crate) fn changes(&mut self, scope: &str, since: Position) -> Result<Vec<Change>, Refusal> {
        self.reaches(since)?;
        let first = self.log.partition_point(|change| change.revision <= since.revision);
        let within = |change: &&Change| change.key == scope || folder(&change.key) == scope;
        let found: Vec<_> = self.log.range(first..).filter(within).cloned().collect();
        self.bytes += found
            .iter()
            .map(|change| weight(&change.key, change.value.as_deref().unwrap_or_default()))
            .sum::<u64>();
        Ok(found)
    }

    /// Begins to signal changes of this scope to `watch`.
    pub(crate) fn open(&mut self, scope: &str, watch: u64, signal: Arc<Notify>) {
        self.watches.insert((scope.to_owned(), watch), signal);
    }

    pub(crate) fn shut(&mut self, scope: &str, watch: u64) {
        self.watches.remove(&(scope.to_owned(), watch));
    }

    /// Which connections are good: a watch opened under another number has been cut off.
    pub(crate) fn connection(&self) -> u64 {
        self.connection
    }
}

// === what faults and meters need ===

impl Store {
    /// Cuts every connection; the data stay, and every lease begins anew, as with a server that comes back.
    pub(crate) fn restart(&mut self, now: Moment) {
        self.connection += 1;
        let leases: Vec<_> = self.leases.iter().map(|(&id, lease)| (id, lease.ttl)).collect();
        for (lease, ttl) in leases {
            self.set_until(lease, now.saturating_add(ttl));
        }
        self.signal_all();
    }

    /// Loses all data, as a server that comes back with an empty folder: revisions start over.
    pub(crate) fn wipe(&mut self) {
        self.era += 1;
        self.revision = 0;
        self.forgotten = 0;
        self.connection += 1;
        self.entries.clear();
        self.leases.clear();
        self.deadlines.clear();
        self.log.clear();
        self.signal_all();
    }

    fn signal_all(&self) {
        self.watches.values().for_each(|signal| signal.notify_one());
    }

    /// Answers nothing for `span`; leases do not end meanwhile.
    pub(crate) fn stall(&mut self, span: Duration, now: Moment) {
        self.thaw = Some(now.saturating_add(span));
        let leases: Vec<_> = self.leases.iter().map(|(&id, lease)| (id, lease.until)).collect();
        for (lease, until) in leases {
            self.set_until(lease, until.saturating_add(span));
        }
        self.signal_all();
    }

    /// When the store answers again, while it does not.
    pub(crate) fn thaw(&mut self, now: Moment) -> Option<Moment> {
        self.thaw = self.thaw.filter(|&thaw| thaw > now);
        self.thaw
    }

    pub(crate) fn count_request(&mut self) {
        self.requests += 1;
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn service_watches(&self) -> u64 {
        self.watches.keys().filter(|(scope, _)| is_service_folder(scope)).count() as u64
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The leases of a namespace's clients, in words.
    pub(crate) fn leases_in(&self, space: &Namespace) -> impl Iterator<Item = String> {
        let mine = self.leases.iter().filter(move |(_, lease)| lease.space == *space);
        mine.map(|(id, lease)| format!("lease {id} of client {}", lease.client))
    }
}
