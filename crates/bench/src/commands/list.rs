//! Reading all instances: from the store, and from a live watch.

use std::time::Duration;

use reception::{ClientExt, Snapshot};
use tokio::time::Instant;

use super::watch::first;
use crate::{
    Result,
    args::Args,
    play::Bench,
    raw,
    record::name,
    report::{Line, micros, per},
    room::{Room, same},
    way::Passed,
};

pub(crate) struct List;

impl Bench for List {
    const RATIOS: &'static [&'static str] = &["p50_us", "bytes_in"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let (count, repeat) = (args.number("count"), args.number("repeat"));
        let population = room.preload(count).await?;
        let (client, name) = (room.client("").await?, name()?);
        client.list(&"nobody".parse()?).await?;
        let before = room.way.quiet().await;
        let mut times = Vec::new();
        for _ in 0..repeat {
            let begun = Instant::now();
            let view = client.list(&name).await?;
            times.push(begun.elapsed());
            if view.len() != count {
                return Err(format!("a list of {} instances, not {count}", view.len()).into());
            }
        }
        room.way.quiet().await;
        let passed = room.way.since(&before);
        client.close().await?;
        drop(population);
        Ok(vec![line(room, count, &times, &passed)])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::list(args, room).await
    }
}

/// What a list of so many took, each time, and what passed.
pub(crate) fn line(room: &Room<'_>, count: usize, times: &[Duration], passed: &Passed) -> Line {
    room.line("list")
        .with("count", count)
        .timed("p50_us", micros(times, 0.5))
        .timed("max_us", micros(times, 1.0))
        .counted("requests", per(passed.requests, times.len()))
        .counted("bytes_in", per(passed.bytes_in, times.len()))
}

/// A list that costs no request: the view of a live watch.
pub(crate) struct Cached;

/// Looks of one measurement: a single one is shorter than the clock's own cost.
const LOOKS: u32 = 10_000;

impl Bench for Cached {
    const RATIOS: &'static [&'static str] = &[];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let count = args.number("count");
        let population = room.preload(count).await?;
        let client = room.client("").await?;
        let mut watcher = client.watch(&name()?).await?;
        first(&mut *watcher).await?;
        let before = room.way.quiet().await;
        let (mut lent, mut own) = (Vec::new(), Vec::new());
        for _ in 0..args.number("repeat") {
            let begun = Instant::now();
            for _ in 0..LOOKS {
                let view = watcher.current().map_or(0, Snapshot::len);
                if std::hint::black_box(view) != count {
                    return Err(format!("a view of {view} instances, not {count}").into());
                }
            }
            lent.push(begun.elapsed());
            let begun = Instant::now();
            for _ in 0..LOOKS {
                drop(std::hint::black_box(watcher.current().cloned()));
            }
            own.push(begun.elapsed());
        }
        room.way.quiet().await;
        let passed = room.way.since(&before);
        same(room, watcher.current().ok_or("no view")?).await?;
        drop(watcher);
        client.close().await?;
        drop(population);
        let nanos = |times: &[_]| micros(times, 0.5) * 1e3 / f64::from(LOOKS);
        Ok(vec![
            room.line("list")
                .mode("cached")
                .with("count", count)
                .timed("p50_ns", nanos(&lent))
                .timed("clone_p50_ns", nanos(&own))
                .counted("requests", passed.requests),
        ])
    }

    async fn raw(_: &Args, _: &Room<'_>) -> Result<Vec<Line>> {
        Err("a cached list has no floor".into())
    }
}
