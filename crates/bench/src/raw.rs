//! The floor: the same work by the driver of a store alone, or by the plainest code that does it.

mod etcd;
mod local;
mod zookeeper;

use std::{ops::Range, time::Duration};

use crate::{Result, args::Args, report::Line, room::Room, store::Store};

pub(crate) use local::{memory, publish};

const NO_FLOOR: &str = "there is nobody else's way to do this on Consul";

/// The floor of each subcommand, by the store that the room is on.
macro_rules! floors {
    ($($name:ident),+ $(,)?) => { $(
        pub(crate) async fn $name(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
            match room.store() {
                Store::ZooKeeper => zookeeper::$name(args, room).await,
                Store::Etcd | Store::Memory => etcd::$name(args, room).await,
                Store::Consul => Err(NO_FLOOR.into()),
            }
        }
    )+ };
}

floors!(burst, exit, fanout, idle, kill, list, register, resign, watch);

/// Who writes many instances by the driver alone, as somebody else would.
pub(crate) enum Scribe {
    Etcd(Box<etcd_client::Client>, Vec<i64>),
    ZooKeeper(zookeeper_client::Client),
}

impl Scribe {
    /// Connects and takes what so many instances stand on.
    pub(crate) async fn new(room: &Room<'_>, count: usize) -> Result<Self> {
        Ok(match room.store() {
            Store::ZooKeeper => Self::ZooKeeper(room.zookeeper_direct().await?),
            Store::Consul => return Err(NO_FLOOR.into()),
            Store::Etcd | Store::Memory => {
                let mut client = room.raw_direct().await?;
                let leases = room.leases(&mut client, count).await?;
                Self::Etcd(client, leases)
            }
        })
    }

    /// Writes them, so many at once.
    pub(crate) async fn write(
        &self,
        room: &Room<'_>,
        numbers: Range<usize>,
        window: usize,
    ) -> Result<Duration> {
        match self {
            Self::Etcd(client, leases) => etcd::pipelined(room, client, numbers, window, leases).await,
            Self::ZooKeeper(client) => zookeeper::pipelined(room, client, numbers, window).await,
        }
    }
}
