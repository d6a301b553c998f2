//! A clean exit: the close of a client with many registrations.

use reception::ClientExt;
use tokio::time::Instant;

use super::register::register_all;
use crate::{Result, args::Args, play::Bench, raw, record::services, report::Line, room::Room, way::Passed};

pub(crate) struct Exit;

impl Bench for Exit {
    const RATIOS: &'static [&'static str] = &["ms", "requests"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let count = args.number("count");
        let client = room.client("").await?;
        client.list(&"nobody".parse()?).await?;
        let (guards, _) = register_all(&client, services(count)?, 64).await?;
        room.holds(count).await?;
        let before = room.way.quiet().await;
        let begun = Instant::now();
        client.close().await?;
        let took = begun.elapsed();
        let passed = room.way.since(&before);
        room.holds(0).await?;
        drop(guards);
        Ok(vec![line(room, count, took.as_secs_f64() * 1e3, &passed)])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::exit(args, room).await
    }
}

pub(crate) fn line(room: &Room<'_>, count: usize, millis: f64, passed: &Passed) -> Line {
    room.line("exit")
        .with("count", count)
        .timed("ms", millis)
        .counted("requests", passed.requests)
        .counted("bytes_out", passed.bytes_out)
        .counted("bytes_in", passed.bytes_in)
}
