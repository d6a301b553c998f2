//! The end of a session, and of all that stands on it.

use tokio::time::Instant;

use super::{pipelined, register::ended};
use crate::{Result, args::Args, commands::exit_line, report::Line, room::Room};

pub(crate) async fn exit(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let count = args.number("count");
    let client = room.zookeeper().await?;
    pipelined(room, &client, 0..count, 64).await?;
    room.holds(count).await?;
    let before = room.way.quiet().await;
    let begun = Instant::now();
    ended(client).await;
    let took = begun.elapsed();
    let passed = room.way.since(&before);
    room.holds(0).await?;
    Ok(vec![exit_line(room, count, took.as_secs_f64() * 1e3, &passed)])
}
