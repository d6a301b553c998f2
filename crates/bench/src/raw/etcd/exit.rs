//! One revocation for each lease, all at once.

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::pipelined;
use crate::{Result, args::Args, commands::exit_line, report::Line, room::Room};

pub(crate) async fn exit(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let count = args.number("count");
    let mut client = room.raw().await?;
    let leases = room.leases(&mut client, count).await?;
    pipelined(room, &client, 0..count, 64, &leases).await?;
    room.holds(count).await?;
    let before = room.way.quiet().await;
    let begun = Instant::now();
    try_join_all(leases.iter().map(|&lease| {
        let mut leases = client.lease_client();
        async move { leases.revoke(lease).await }
    }))
    .await?;
    let took = begun.elapsed();
    let passed = room.way.since(&before);
    room.holds(0).await?;
    Ok(vec![exit_line(room, count, took.as_secs_f64() * 1e3, &passed)])
}
