//! What a client does to files, counted: where there is no server, nobody else can tell.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// How many records a client has looked at or written, and how many bytes that were. Both only grow; a clone counts on.
#[derive(Debug, Clone, Default)]
pub struct Spent(Arc<Sums>);

#[derive(Debug, Default)]
struct Sums {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl Spent {
    /// Records looked at or written.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// Bytes of records read or written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn on(&self, bytes: usize) {
        self.0.records.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
