//! What shows that a store is still the one that was read.

use etcd_client::KeyValue;

/// The key written last, as far as it was seen: what another store, or an older state of this one, does not have.
///
/// Revisions alone do not tell: a store that lost its data may have come further than the old one before we are back. The lease does,
/// since its id is random.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) key: Vec<u8>,
    created: i64,
    pub(super) modified: i64,
    lease: i64,
}

impl Witness {
    pub(super) fn of(kv: &KeyValue) -> Self {
        let (created, modified, lease) = (kv.create_revision(), kv.mod_revision(), kv.lease());
        Self { key: kv.key().to_vec(), created, modified, lease }
    }

    /// Whether `found`, read after everything up to `since` was seen, can be what became of this.
    pub(super) fn is_still(&self, found: &KeyValue, since: i64) -> bool {
        let same_life = found.create_revision() == self.created && found.lease() == self.lease;
        same_life && (found.mod_revision() == self.modified || found.mod_revision() > since)
    }
}
