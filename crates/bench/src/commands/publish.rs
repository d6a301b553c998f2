//! One change of a large view, applied and handed to a watcher, without a server.

use futures_util::StreamExt;
use reception::{ClientExt, Patch, Snapshot};
use tokio::{sync::watch, time::Instant};

use super::watch::first;
use crate::{
    Result,
    args::Args,
    play::Bench,
    raw,
    record::{EXTRA, name, service, services},
    report::{Line, micros},
    room::Room,
};

pub(crate) struct Publish;

impl Bench for Publish {
    const RATIOS: &'static [&'static str] = &["p50_us", "p99_us"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        Ok(vec![apply(args, room)?, watched(args, room).await?])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::publish(args, room)
    }
}

/// The view alone: the next one is made and takes the place of the one before, which goes.
fn apply(args: &Args, room: &Room<'_>) -> Result<Line> {
    let (count, changes) = (args.number("count"), args.number("changes"));
    let place = watch::Sender::new(Snapshot::new(name()?, 0, services(count)?));
    let mut times = Vec::new();
    for change in 0..changes {
        // Instances all over the view, each added and then removed.
        let extra = service(EXTRA + change / 2 % 1000)?;
        let gone = extra.id().clone();
        let revision = u64::try_from(change)?;
        let patch = match change % 2 {
            0 => Patch::new(revision, [extra], []),
            _ => Patch::new(revision, [], [gone]),
        };
        let begun = Instant::now();
        let next = place.borrow().apply(&patch);
        place.send_replace(next);
        times.push(begun.elapsed());
    }
    if place.borrow().len() != count + changes % 2 {
        return Err("the view has lost count".into());
    }
    Ok(line(room, "apply", count, changes, &times))
}

/// From the call that changes an instance of `memory:` to the watcher's next view.
async fn watched(args: &Args, room: &Room<'_>) -> Result<Line> {
    let (count, changes) = (args.number("count"), args.number("changes").min(1000));
    let population = room.preload(count).await?;
    let client = room.direct().await?;
    let mut watcher = client.watch(&name()?).await?;
    first(&mut *watcher).await?;
    let extra = service(EXTRA)?;
    let registration = client.register(extra.clone()).await?;
    watcher.next().await.ok_or("the watch ended")??;
    let mut times = Vec::new();
    for change in 0..changes {
        let next = extra.to_builder().attribute("zone", if change % 2 == 0 { "b" } else { "c" }).build()?;
        let begun = Instant::now();
        registration.update(next.clone()).await?;
        watcher.next().await.ok_or("the watch ended")??;
        times.push(begun.elapsed());
        if watcher.current().and_then(|view| view.get(next.id().as_str())) != Some(&next) {
            return Err("the watcher has not seen the change".into());
        }
    }
    registration.close().await?;
    client.close().await?;
    drop(population);
    Ok(line(room, "watched", count, changes, &times))
}

pub(crate) fn line(
    room: &Room<'_>,
    mode: &str,
    count: usize,
    changes: usize,
    times: &[std::time::Duration],
) -> Line {
    room.line("publish")
        .mode(mode)
        .with("count", count)
        .with("changes", changes)
        .timed("p50_us", micros(times, 0.5))
        .timed("p99_us", micros(times, 0.99))
}
