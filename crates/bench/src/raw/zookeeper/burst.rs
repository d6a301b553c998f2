//! The same writes, pipelined, with nobody watching.

use super::{pipelined, register::ended};
use crate::{
    Result,
    args::Args,
    commands::{WINDOW, burst_line},
    record::EXTRA,
    report::Line,
    room::Room,
};

pub(crate) async fn burst(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let changes = args.number("changes");
    let population = room.preload(args.number("count")).await?;
    let mut lines = Vec::new();
    for mode in ["registered", "written"] {
        let client = room.zookeeper_direct().await?;
        let took = pipelined(room, &client, EXTRA..EXTRA + changes, WINDOW).await?;
        lines.push(burst_line(room, args, mode, took, took));
        ended(client).await;
    }
    drop(population);
    Ok(lines)
}
