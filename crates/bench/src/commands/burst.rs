//! Many registrations at once under a watcher of a large service.

use std::time::Duration;

use futures_util::StreamExt;
use reception::{ClientExt, Snapshot, Watcher};
use tokio::time::Instant;

use super::{
    register::{PATIENT, register_all},
    watch::first,
};
use crate::{
    Result,
    args::Args,
    play::Bench,
    raw,
    record::{EXTRA, name, service},
    report::Line,
    room::{Room, same},
};

pub(crate) struct Burst;

/// What stays open while the floor writes, too.
pub(crate) const WINDOW: usize = 512;

impl Bench for Burst {
    const RATIOS: &'static [&'static str] = &["seconds", "write_seconds"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let (count, changes) = (args.number("count"), args.number("changes"));
        let population = room.preload(count).await?;
        let (watching, owner) = (room.client("").await?, room.direct_with(PATIENT).await?);
        let mut watcher = watching.watch(&name()?).await?;
        first(&mut *watcher).await?;
        owner.list(&"nobody".parse()?).await?;

        let services = (EXTRA..EXTRA + changes).map(service).collect::<Result<Vec<_>>>()?;
        let before = room.way.quiet().await;
        let begun = Instant::now();
        let (registered, seen) = tokio::join!(
            register_all(&owner, services, changes),
            until(&mut *watcher, count + changes, begun)
        );
        let (guards, write) = registered?;
        let (converged, snapshots) = seen?;
        room.way.quiet().await;
        let passed = room.way.since(&before);
        same(room, watcher.current().ok_or("no view")?).await?;
        owner.close().await?;
        until(&mut *watcher, count, begun).await?;
        drop(guards);

        let scribe = raw::Scribe::new(room, changes).await?;
        let begun = Instant::now();
        let (written, seen) = tokio::join!(
            scribe.write(room, EXTRA..EXTRA + changes, WINDOW),
            until(&mut *watcher, count + changes, begun)
        );
        let (direct, written) = (seen?, written?);
        watching.close().await?;
        drop((population, scribe));
        let of_ours = line(room, args, "registered", converged, write)
            .with("snapshots", snapshots)
            .counted("requests", passed.requests)
            .counted("bytes_in", passed.bytes_in);
        Ok(vec![of_ours, line(room, args, "written", direct.0, written).with("snapshots", direct.1)])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::burst(args, room).await
    }
}

/// Waits for a view of so many; how long it took, and how many views were handed out.
async fn until(watcher: &mut dyn Watcher, count: usize, begun: Instant) -> Result<(Duration, usize)> {
    let mut snapshots = 0;
    while watcher.current().map_or(0, Snapshot::len) != count {
        watcher.next().await.ok_or("the watch ended")??;
        snapshots += 1;
    }
    Ok((begun.elapsed(), snapshots))
}

/// `seconds` until the watcher has seen all, `write_seconds` until the writer was answered.
pub(crate) fn line(room: &Room<'_>, args: &Args, mode: &str, converged: Duration, write: Duration) -> Line {
    room.line("burst")
        .mode(mode)
        .with("count", args.number("count"))
        .with("changes", args.number("changes"))
        .timed("seconds", converged.as_secs_f64())
        .timed("write_seconds", write.as_secs_f64())
}
