//! A room on etcd, by its driver alone.

use std::{net::SocketAddr, sync::PoisonError, time::Duration};

use etcd_client::{ConnectOptions, DeleteOptions, GetOptions, PutOptions, Txn, TxnOp};

use super::Room;
use crate::{Result, record::record, stage::Stage};

/// Seconds; a run that was cut short leaves nothing for longer.
const LEASE: i64 = 600;
/// Keys of a lease, as many as our own leases carry: a put on a lease with more is slower.
const KEYS: usize = 256;
/// Writes of one transaction.
const BATCH: usize = 100;

impl Room<'_> {
    /// A connection without the library, the room's way.
    pub(crate) async fn raw(&self) -> Result<Box<etcd_client::Client>> {
        self.stage.etcd(self.way.address()).await
    }

    /// The same, not counted.
    pub(crate) async fn raw_direct(&self) -> Result<Box<etcd_client::Client>> {
        self.stage.etcd(self.stage.address()).await
    }

    pub(crate) async fn lease(&self, client: &mut etcd_client::Client) -> Result<i64> {
        let lease = client.lease_grant(LEASE, None).await?.id();
        self.stage.note(lease);
        Ok(lease)
    }

    /// Leases for so many keys, none of them crowded.
    pub(crate) async fn leases(&self, client: &mut etcd_client::Client, keys: usize) -> Result<Vec<i64>> {
        let mut leases = Vec::new();
        for _ in 0..keys.div_ceil(KEYS) {
            leases.push(self.lease(client).await?);
        }
        Ok(leases)
    }

    pub(super) async fn preload_etcd(&self, count: usize) -> Result<()> {
        let mut client = self.raw_direct().await?;
        let leases = self.leases(&mut client, count).await?;
        let numbers: Vec<usize> = (0..count).collect();
        for batch in numbers.chunks(BATCH) {
            client.txn(self.batch(batch, &leases)).await?;
        }
        Ok(())
    }

    /// One transaction that writes these instances.
    pub(crate) fn batch(&self, numbers: &[usize], leases: &[i64]) -> Txn {
        let puts = numbers.iter().map(|&number| {
            let options = PutOptions::new().with_lease(leases[number / KEYS]);
            TxnOp::put(self.key(number), record(number), Some(options))
        });
        Txn::new().and_then(puts.collect::<Vec<_>>())
    }

    /// The lease of this instance, and none of a burst's is crowded.
    pub(crate) fn lease_of(leases: &[i64], number: usize) -> i64 {
        leases[number / KEYS]
    }

    pub(super) async fn count_etcd(&self) -> Result<usize> {
        let mut client = self.raw_direct().await?;
        let options = GetOptions::new().with_prefix().with_count_only();
        Ok(usize::try_from(client.get(self.prefix(), Some(options)).await?.count())?)
    }

    /// Takes away the run's records, not their leases: `note` keeps those.
    pub(crate) async fn wipe(&self) -> Result<()> {
        let mut client = self.raw_direct().await?;
        client.delete(self.prefix(), Some(DeleteOptions::new().with_prefix())).await?;
        Ok(())
    }

    pub(super) async fn leave_etcd(self) -> Result<()> {
        self.stage.clear_leases().await?;
        let mut client = self.raw_direct().await?;
        client.delete(format!("{}/", self.namespace), Some(DeleteOptions::new().with_prefix())).await?;
        Ok(())
    }
}

impl Stage {
    /// A connection of its own; boxed, since it is large.
    pub(crate) async fn etcd(&self, address: SocketAddr) -> Result<Box<etcd_client::Client>> {
        let mut options = ConnectOptions::new().with_connect_timeout(Duration::from_secs(5));
        if let Some((name, password)) = &self.user {
            options = options.with_user(name, password.expose());
        }
        Ok(Box::new(etcd_client::Client::connect([address.to_string()], Some(options)).await?))
    }

    /// Notes a lease that is to be gone in the end.
    pub(crate) fn note(&self, lease: i64) {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
    }

    pub(crate) async fn clear_etcd(&self) -> Result<()> {
        self.clear_leases().await?;
        let mut client = self.etcd(self.address).await?;
        client.delete(format!("{}/", self.namespace), Some(DeleteOptions::new().with_prefix())).await?;
        Ok(())
    }

    async fn clear_leases(&self) -> Result<()> {
        let leases = std::mem::take(&mut *self.leases.lock().unwrap_or_else(PoisonError::into_inner));
        if leases.is_empty() {
            return Ok(());
        }
        let mut client = self.etcd(self.address).await?;
        // Some have run out, and some were revoked as part of a run.
        let alive = client.leases().await?;
        let alive = alive.leases().iter().map(etcd_client::LeaseStatus::id);
        for lease in alive.filter(|lease| leases.contains(lease)) {
            client.lease_revoke(lease).await?;
        }
        Ok(())
    }
}
