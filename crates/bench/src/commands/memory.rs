//! Bytes that a watched instance takes.

use reception::{ClientExt, Service, Snapshot};

use super::watch::first;
use crate::{
    Result,
    args::Args,
    heap::{Held, SOURCE, held},
    play::Bench,
    raw,
    record::{id, name, services},
    report::Line,
    room::Room,
};

pub(crate) struct Memory;

impl Bench for Memory {
    const COUNTS: bool = false;
    // A resident set keeps what runs before have freed: no two of its numbers can be divided.
    const RATIOS: &'static [&'static str] =
        if cfg!(feature = "heap") { &["bytes_per_instance", "blocks_per_instance"] } else { &[] };

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let mut lines = vec![view(args, room)?];
        lines.extend(watched(args, room).await?);
        Ok(lines)
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::memory(args, room).await
    }
}

/// The view alone, of instances as they come from a store.
fn view(args: &Args, room: &Room<'_>) -> Result<Line> {
    let count = args.number("count");
    let name = name()?;
    let before = held()?;
    let read = services(count)?.into_iter().map(|service| {
        let builder = Service::builder_of(&name, service.id(), service.address(), 8080);
        builder.attribute("zone", "a").build_foreign()
    });
    let view = Snapshot::new(name.clone(), 1, read.collect::<reception::Result<Vec<_>>>()?);
    let after = held()?;
    if view.len() != count {
        return Err("the view has lost count".into());
    }
    Ok(line(room, "view", count, &before, &after))
}

/// A watch, and then more of the same service in the same client.
async fn watched(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (count, more) = (args.number("count"), args.number("watchers"));
    let (population, name) = (room.preload(count).await?, name()?);
    let client = room.client("").await?;
    client.list(&"nobody".parse()?).await?;
    let before = held()?;
    let mut watcher = client.watch(&name).await?;
    drop(first(&mut *watcher).await?);
    let one = held()?;
    let mut watchers = Vec::with_capacity(more);
    for _ in 0..more {
        let mut further = client.watch(&name).await?;
        drop(first(&mut *further).await?);
        watchers.push(further);
    }
    let all = held()?;
    if watchers.iter().any(|further| further.current().map(Snapshot::len) != Some(count)) {
        return Err("a further watcher sees another view".into());
    }
    drop((watchers, watcher));
    client.close().await?;
    drop(population);
    let (each, _) = all.since(&one, more);
    let further = room.line("memory").mode("further").with("count", count).with("watchers", more);
    let further = further.with("source", SOURCE).timed("bytes_per_watcher", each);
    Ok(vec![line(room, "watch", count, &before, &one), further])
}

/// The id is the user's own text: what is above it is what a view costs.
pub(crate) fn line(room: &Room<'_>, mode: &str, count: usize, before: &Held, after: &Held) -> Line {
    let (bytes, blocks) = after.since(before, count);
    room.line("memory")
        .mode(mode)
        .with("count", count)
        .with("source", SOURCE)
        .with("id_bytes", id(0).len())
        .timed("bytes_per_instance", bytes)
        .timed("blocks_per_instance", blocks)
}
