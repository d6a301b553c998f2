//! Records on a lease of this client that it does not want.

use std::collections::BTreeSet;

use etcd_client::{Compare, CompareOp, GetOptions, Txn, TxnOp};
use reception_core::Result;

use super::Session;

const OPERATION: &str = "reconcile";

impl Session {
    /// Whether some registration of this client has this key, also one that is being withdrawn.
    pub(super) fn wants(&self, key: &[u8]) -> bool {
        str::from_utf8(key).is_ok_and(|key| self.wanted.has(key))
    }

    /// Removes the records among `keys`, which are on `lease`, that no registration wants.
    pub(super) async fn sweep(&self, lease: i64, keys: &BTreeSet<Vec<u8>>) {
        let services = self.layout.services();
        let strays = keys.iter().filter(|key| key.starts_with(services.as_bytes()) && !self.wants(key));
        for key in strays {
            // One that stays is found again the next time.
            drop(self.remove_stray(lease, key).await);
        }
    }

    async fn remove_stray(&self, lease: i64, key: &[u8]) -> Result<()> {
        let only = GetOptions::new().with_keys_only();
        let read = self.get(OPERATION, self.brief(), key, only).await?;
        let Some(found) = read.kvs().first().filter(|kv| kv.lease() == lease) else { return Ok(()) };
        // Whoever takes the id wants it before it writes: what was written until the read shows here, and what is written later moves
        // the revision on.
        if self.wants(key) {
            return Ok(());
        }
        let same = Compare::mod_revision(key, CompareOp::Equal, found.mod_revision());
        let txn = Txn::new().when([same]).and_then([TxnOp::delete(key, None)]);
        self.txn(OPERATION, self.brief(), txn).await.map(drop)
    }
}
