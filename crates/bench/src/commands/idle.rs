//! What registrations and a watch cost while nothing happens.

use std::time::Duration;

use futures_util::StreamExt;
use reception::ClientExt;
use tokio::{task::JoinSet, time::sleep};

use super::{register::register_all, watch::first};
use crate::{
    Result,
    args::Args,
    cpu::cpu,
    play::Bench,
    raw,
    record::{name, services},
    report::{Line, float, per},
    room::Room,
};

pub(crate) struct Idle;

impl Bench for Idle {
    const RATIOS: &'static [&'static str] = &["cpu_ms_per_second", "requests_per_second", "bytes_per_second"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let client = room.client("").await?;
        let (guards, _) = register_all(&client, services(args.number("count"))?, 64).await?;
        let mut watcher = client.watch(&name()?).await?;
        first(&mut *watcher).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { while watcher.next().await.is_some() {} });
        let line = look(args, room).await?;
        client.close().await?;
        drop((guards, tasks));
        Ok(vec![line])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::idle(args, room).await
    }
}

/// Looks at what passes while nobody does anything.
pub(crate) async fn look(args: &Args, room: &Room<'_>) -> Result<Line> {
    let seconds = args.number("seconds");
    sleep(Duration::from_secs(1)).await;
    let (before, busy) = (room.way.counts(), cpu());
    sleep(Duration::from_secs(u64::try_from(seconds)?)).await;
    let (passed, busy) = (room.way.since(&before), cpu().saturating_sub(busy));
    let requests = passed.requests + passed.pings;
    Ok(room
        .line("idle")
        .mode("shared")
        .with("count", args.number("count"))
        .with("seconds", seconds)
        .timed("cpu_ms_per_second", busy.as_secs_f64() * 1e3 / float(seconds))
        .counted("requests_per_second", per(requests, seconds))
        .counted("pings_per_second", per(passed.pings, seconds))
        .counted("bytes_per_second", per(passed.bytes_in + passed.bytes_out, seconds)))
}
