//! The same writes, pipelined, with nobody watching.

use tokio::time::Instant;

use super::pipelined;
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
        let mut client = room.raw_direct().await?;
        client.get("nothing", None).await?;
        let begun = Instant::now();
        let leases = room.leases(&mut client, changes).await?;
        let written = pipelined(room, &client, EXTRA..EXTRA + changes, WINDOW, &leases).await?;
        // A registration brings its lease along; the foreign writer of the other mode has had its before.
        let took = if mode == "registered" { begun.elapsed() } else { written };
        lines.push(burst_line(room, args, mode, took, took));
        for lease in leases {
            client.lease_revoke(lease).await?;
        }
    }
    drop(population);
    Ok(lines)
}
