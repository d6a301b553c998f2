//! One range read into a map.

use tokio::time::Instant;

use super::watch::read;
use crate::{Result, args::Args, commands::list_line, report::Line, room::Room};

pub(crate) async fn list(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (count, repeat) = (args.number("count"), args.number("repeat"));
    let population = room.preload(count).await?;
    let mut client = room.raw().await?;
    client.get("nothing", None).await?;
    let before = room.way.quiet().await;
    let mut times = Vec::new();
    for _ in 0..repeat {
        let begun = Instant::now();
        let (records, _) = read(&mut client, &room.prefix()).await?;
        times.push(begun.elapsed());
        if records.len() != count {
            return Err(format!("a list of {} instances, not {count}", records.len()).into());
        }
    }
    room.way.quiet().await;
    let passed = room.way.since(&before);
    drop(population);
    Ok(vec![list_line(room, count, &times, &passed)])
}
