//! Who makes the changes that a watcher sees.

use std::sync::Arc;

use etcd_client::PutOptions;
use reception::{Client, ClientExt, Registration};

use super::{EPHEMERAL, Room};
use crate::{
    Result,
    record::{EXTRA, curator, record, service},
    store::Store,
};

/// Who makes the changes that a watcher sees: on a server somebody else, so that only the watcher is ours.
pub(crate) enum Writer {
    /// Where there is no other writer that does the same.
    Own(Arc<dyn Client>, Option<Registration>),
    Etcd(Box<etcd_client::Client>, i64),
    ZooKeeper(zookeeper_client::Client),
}

impl Writer {
    pub(crate) async fn new(room: &Room<'_>) -> Result<Self> {
        Ok(match room.store() {
            Store::Memory | Store::Consul => Self::Own(room.direct().await?, None),
            Store::Etcd => {
                let mut client = room.raw_direct().await?;
                let lease = room.lease(&mut client).await?;
                Self::Etcd(client, lease)
            }
            Store::ZooKeeper => Self::ZooKeeper(room.zookeeper_direct().await?),
        })
    }

    /// Adds one instance.
    pub(crate) async fn add(&mut self, room: &Room<'_>, number: usize) -> Result<()> {
        let number = EXTRA + number;
        match self {
            Self::Own(client, guard) => *guard = Some(client.register(service(number)?).await?),
            Self::Etcd(client, lease) => {
                let options = PutOptions::new().with_lease(*lease);
                client.put(room.key(number), record(number), Some(options)).await?;
            }
            Self::ZooKeeper(client) => {
                client.create(&room.key(number), &curator(number), &EPHEMERAL).await?;
            }
        }
        Ok(())
    }

    /// Removes the one that was added last.
    pub(crate) async fn remove(&mut self, room: &Room<'_>, number: usize) -> Result<()> {
        match self {
            Self::Own(_, guard) => {
                if let Some(guard) = guard.take() {
                    guard.close().await?;
                }
            }
            Self::Etcd(client, _) => drop(client.delete(room.key(EXTRA + number), None).await?),
            Self::ZooKeeper(client) => client.delete(&room.key(EXTRA + number), None).await?,
        }
        Ok(())
    }
}
