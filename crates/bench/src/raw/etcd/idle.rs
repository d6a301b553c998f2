//! Leases kept on streams, and a watch.

use std::time::Duration;

use etcd_client::WatchOptions;
use tokio::{task::JoinSet, time::sleep};

use super::{next, pipelined};
use crate::{Result, args::Args, commands::look, report::Line, room::Room};

/// Seconds.
const TTL: i64 = 10;
const PERIOD: Duration = Duration::from_millis(3333);

pub(crate) async fn idle(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let count = args.number("count");
    let mut client = room.raw().await?;
    let mut leases = Vec::new();
    for _ in 0..count.div_ceil(256) {
        leases.push(client.lease_grant(TTL, None).await?.id());
    }
    let mut tasks = JoinSet::new();
    for &lease in &leases {
        let (mut keeper, mut renewals) = client.lease_keep_alive(lease).await?;
        tasks.spawn(async move {
            while keeper.keep_alive().await.is_ok() && renewals.message().await.is_ok() {
                sleep(PERIOD).await;
            }
        });
    }
    pipelined(room, &client, 0..count, 64, &leases).await?;
    let mut watch = client.watch(room.prefix(), Some(WatchOptions::new().with_prefix())).await?;
    tasks.spawn(async move { while next(&mut watch).await.is_ok() {} });
    let line = look(args, room).await?;
    tasks.shutdown().await;
    for lease in leases {
        client.lease_revoke(lease).await?;
    }
    Ok(vec![line])
}
