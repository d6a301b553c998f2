//! How fast one change reaches the last of many watchers of one process.

use futures_util::StreamExt;
use reception::{ClientExt, Snapshot, Watcher};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::watch::{Sight, first};
use crate::{
    Result,
    args::Args,
    play::Bench,
    raw,
    record::name,
    report::{Line, micros, per},
    room::{Room, Writer, same},
};

pub(crate) struct Fanout;

impl Bench for Fanout {
    const RATIOS: &'static [&'static str] = &["last_p50_us", "last_p99_us", "bytes_in_per_change"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let (count, watchers) = (args.number("count"), args.number("watchers"));
        let population = room.preload(count).await?;
        let (client, name) = (room.client("").await?, name()?);
        let begun = Instant::now();
        let (sender, sights) = mpsc::channel(watchers);
        let mut tasks = JoinSet::new();
        for _ in 0..watchers {
            let mut watcher = client.watch(&name).await?;
            first(&mut *watcher).await?;
            tasks.spawn(follow(watcher, sender.clone()));
        }
        let setup = begun.elapsed();
        let mut own = client.watch(&name).await?;
        // What it writes may go with it.
        let mut writer = Writer::new(room).await?;
        let lines = drive(args, room, &mut writer, sights).await?.timed("setup_seconds", setup.as_secs_f64());
        while own.current().map_or(0, Snapshot::len) < count + args.number("changes") {
            own.next().await.ok_or("the watch ended")??;
        }
        same(room, own.current().ok_or("no view")?).await?;
        client.close().await?;
        drop((tasks, writer, population));
        Ok(vec![lines])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::fanout(args, room).await
    }
}

async fn follow(mut watcher: Box<dyn Watcher>, sights: mpsc::Sender<Sight>) {
    while let Some(Ok(_)) = watcher.next().await {
        let count = watcher.current().map_or(0, Snapshot::len);
        if sights.send(Sight { at: Instant::now(), count }).await.is_err() {
            return;
        }
    }
}

/// Adds instances one by one, each time waiting until every watcher has seen it.
pub(crate) async fn drive(
    args: &Args,
    room: &Room<'_>,
    writer: &mut Writer,
    mut sights: mpsc::Receiver<Sight>,
) -> Result<Line> {
    let (count, watchers) = (args.number("count"), args.number("watchers"));
    let changes = args.number("changes");
    let before = room.way.quiet().await;
    let (mut all, mut spread) = (Vec::new(), Vec::new());
    for change in 0..changes {
        let asked = Instant::now();
        writer.add(room, change).await?;
        let (mut earliest, mut last) = (None, asked);
        for _ in 0..watchers {
            let sight = sights.recv().await.ok_or("a watcher ended")?;
            if sight.count != count + change + 1 {
                return Err(format!("a watcher sees {} of {}", sight.count, count + change + 1).into());
            }
            earliest = Some(earliest.map_or(sight.at, |earliest: Instant| earliest.min(sight.at)));
            last = last.max(sight.at);
        }
        all.push(last - asked);
        spread.push(last - earliest.unwrap_or(asked));
    }
    room.way.quiet().await;
    let passed = room.way.since(&before);
    Ok(room
        .line("fanout")
        .with("watchers", watchers)
        .with("count", count)
        .with("changes", changes)
        .timed("last_p50_us", micros(&all, 0.5))
        .timed("last_p99_us", micros(&all, 0.99))
        .timed("spread_p50_us", micros(&spread, 0.5))
        .counted("requests_per_change", per(passed.requests, changes))
        .counted("bytes_in_per_change", per(passed.bytes_in, changes)))
}
