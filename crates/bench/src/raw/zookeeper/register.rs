//! Creates, one by one, pipelined, and in transactions.

use std::{ops::Range, time::Duration};

use futures_util::{StreamExt, TryStreamExt, future::try_join, stream};
use tokio::time::Instant;
use zookeeper_client::{Client, OneshotWatcher};

use crate::{
    Result,
    args::Args,
    commands::{one_line, result},
    record::curator,
    report::Line,
    room::{EPHEMERAL, Room, pages},
};

/// Creates of the mode `watched` that are open at once.
const WINDOW: usize = 512;
/// Creates of one transaction.
const BATCH: usize = 100;

pub(crate) async fn register(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let count = args.number("count");
    let mut lines = vec![one(args, room).await?];
    let modes =
        [("sequential", 1), ("pipelined", 64), ("pipelined", 512), ("txn100", BATCH), ("watched", WINDOW)];
    for (mode, window) in modes {
        let client = room.zookeeper().await?;
        let before = room.way.quiet().await;
        // Kept: one that is dropped takes its watch back, by a request.
        let mut watchers = Vec::new();
        let begun = Instant::now();
        match mode {
            "txn100" => batches(room, &client, count).await?,
            "watched" => watchers = watched(room, &client, count).await?,
            _ => drop(pipelined(room, &client, 0..count, window).await?),
        }
        let took = begun.elapsed();
        room.way.quiet().await;
        let passed = room.way.since(&before);
        room.holds(count).await?;
        drop(watchers);
        ended(client).await;
        room.holds(0).await?;
        lines.push(result(room, mode, window, count, took, &passed));
    }
    Ok(lines)
}

/// Ends a session, and all that stands on it.
pub(super) async fn ended(client: Client) {
    let mut states = client.state_watcher();
    // The driver says goodbye when the last handle is gone.
    drop(client);
    while !states.changed().await.is_terminated() {}
}

/// One create, by a session that is connected.
async fn one(args: &Args, room: &Room<'_>) -> Result<Line> {
    let rounds = args.number("rounds");
    let (mut times, mut requests) = (Vec::new(), 0);
    for number in 0..rounds {
        let client = room.zookeeper().await?;
        client.check_stat("/").await?;
        let before = room.way.quiet().await;
        let begun = Instant::now();
        client.create(&room.key(number), &curator(number), &EPHEMERAL).await?;
        times.push(begun.elapsed());
        room.way.quiet().await;
        requests += room.way.since(&before).requests;
        ended(client).await;
        if room.is_counting() && number == 2 {
            break;
        }
    }
    Ok(one_line(room, &times, requests, requests))
}

/// Creates, so many at once on one session.
pub(crate) async fn pipelined(
    room: &Room<'_>,
    client: &Client,
    numbers: Range<usize>,
    window: usize,
) -> Result<Duration> {
    let begun = Instant::now();
    stream::iter(numbers)
        .map(|number| {
            let (path, record) = (room.key(number), curator(number));
            async move { client.create(&path, &record, &EPHEMERAL).await.map(drop) }
        })
        .buffer_unordered(window)
        .try_collect::<()>()
        .await?;
    Ok(begun.elapsed())
}

async fn batches(room: &Room<'_>, client: &Client, count: usize) -> Result<()> {
    for page in pages(count, BATCH) {
        let mut writer = client.new_multi_writer();
        for number in page {
            writer.add_create(&room.key(number), &curator(number), &EPHEMERAL)?;
        }
        writer.commit().await?;
    }
    Ok(())
}

/// What a registration promises besides: that the removal of the record is heard.
async fn watched(room: &Room<'_>, client: &Client, count: usize) -> Result<Vec<OneshotWatcher>> {
    let watchers = stream::iter(0..count)
        .map(|number| {
            let (path, record) = (room.key(number), curator(number));
            async move {
                let made = client.create(&path, &record, &EPHEMERAL);
                let looked = client.check_and_watch_stat(&path);
                try_join(made, looked).await.map(|(_, (_, watcher))| watcher)
            }
        })
        .buffer_unordered(WINDOW)
        .try_collect()
        .await?;
    Ok(watchers)
}
