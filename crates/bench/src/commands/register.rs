//! Registering many instances.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use reception::{Client, ClientExt, Registration, Service};
use tokio::time::Instant;

use crate::{
    Result,
    args::Args,
    play::Bench,
    raw,
    record::{service, services},
    report::{Line, micros, per, rate},
    room::Room,
    way::Passed,
};

pub(crate) struct Register;

impl Bench for Register {
    const RATIOS: &'static [&'static str] = &["p50_us", "per_second"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let count = args.number("count");
        let modes = [("sequential", 1), ("pipelined", 64), ("pipelined", 512), ("group", count)];
        let mut lines = vec![one(args, room).await?];
        for (mode, window) in modes {
            lines.push(many(room, count, mode, window).await?);
        }
        Ok(lines)
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::register(args, room).await
    }
}

/// Thousands at once may wait longer for the store than a caller usually would.
pub(crate) const PATIENT: &str = "?timeout=60s";

/// The first registration of a client that is connected already: the lease is part of it.
async fn one(args: &Args, room: &Room<'_>) -> Result<Line> {
    let rounds = args.number("rounds");
    let (mut times, mut requests, mut calls) = (Vec::new(), 0, 0);
    for round in 0..rounds {
        let (client, service) = (room.client("").await?, service(round)?);
        client.list(&"nobody".parse()?).await?;
        let before = room.way.quiet().await;
        let begun = Instant::now();
        let registration = client.register(service).await?;
        times.push(begun.elapsed());
        room.way.quiet().await;
        let passed = room.way.since(&before);
        requests += passed.requests;
        calls += passed.calls;
        registration.close().await?;
        client.close().await?;
        if room.is_counting() && round == 2 {
            break;
        }
    }
    Ok(one_line(room, &times, requests, calls))
}

/// What one registration took, each time, and what was sent for all of them.
pub(crate) fn one_line(room: &Room<'_>, times: &[Duration], requests: u64, calls: u64) -> Line {
    room.line("register_one")
        .timed("p50_us", micros(times, 0.5))
        .timed("p99_us", micros(times, 0.99))
        .counted("requests", per(requests, times.len()))
        .counted("calls", per(calls, times.len()))
}

async fn many(room: &Room<'_>, count: usize, mode: &str, window: usize) -> Result<Line> {
    let (client, services) = (room.client(PATIENT).await?, services(count)?);
    client.list(&"nobody".parse()?).await?;
    let before = room.way.quiet().await;
    let (guards, took) = register_all(&client, services, window).await?;
    room.way.quiet().await;
    let passed = room.way.since(&before);
    room.holds(count).await?;
    client.close().await?;
    room.holds(0).await?;
    drop(guards);
    Ok(result(room, mode, window, count, took, &passed))
}

/// What both peers tell of a mode.
pub(crate) fn result(
    room: &Room<'_>,
    mode: &str,
    window: usize,
    count: usize,
    took: Duration,
    passed: &Passed,
) -> Line {
    // A window as large as all is no window, and all at once is what the floor writes in batches.
    let (group, shown) = match mode {
        "group" | "txn100" => ("register group".to_owned(), None),
        _ => (format!("register {mode} {window}"), Some(window)),
    };
    let line = room.line("register").mode(mode).against(&group).with("count", count);
    let line = match shown {
        Some(window) => line.with("window", window),
        None => line,
    };
    line.timed("seconds", took.as_secs_f64())
        .timed("per_second", rate(count, took).round())
        .counted("requests", passed.requests)
        .counted("calls", passed.calls)
        .counted("bytes_out", passed.bytes_out)
        .counted("bytes_in", passed.bytes_in)
}

/// Registers all, so many at once.
pub(crate) async fn register_all(
    client: &Arc<dyn Client>,
    services: Vec<Service>,
    window: usize,
) -> Result<(Vec<Registration>, Duration)> {
    let begun = Instant::now();
    let guards = stream::iter(services)
        .map(|service| async move { client.register(service).await })
        .buffer_unordered(window)
        .try_collect()
        .await?;
    Ok((guards, begun.elapsed()))
}
