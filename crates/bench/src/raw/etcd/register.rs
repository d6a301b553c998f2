//! Puts on leases, one by one, pipelined, and in transactions.

use std::{ops::Range, time::Duration};

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp, WatchOptions, WatchStream};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use crate::{
    Result,
    args::Args,
    commands::{one_line, result},
    record::record,
    report::Line,
    room::Room,
};

/// Writes of the guarded modes that are open at once.
const WINDOW: usize = 512;

pub(crate) async fn register(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let count = args.number("count");
    let mut lines = vec![one(args, room).await?];
    for (mode, window) in [("sequential", 1), ("pipelined", 64), ("pipelined", 512), ("txn100", 100)] {
        let mut client = room.raw().await?;
        client.get("nothing", None).await?;
        let before = room.way.quiet().await;
        let begun = Instant::now();
        let leases = room.leases(&mut client, count).await?;
        if mode == "txn100" {
            batches(room, &mut client, count, &leases).await?;
        } else {
            pipelined(room, &client, 0..count, window, &leases).await?;
        }
        let took = begun.elapsed();
        room.way.quiet().await;
        let passed = room.way.since(&before);
        room.holds(count).await?;
        room.wipe().await?;
        lines.push(result(room, mode, window, count, took, &passed));
    }
    for (mode, watched) in [("guarded", false), ("watched", true)] {
        lines.push(guarded(room, count, mode, watched).await?);
        room.holds(count).await?;
        room.wipe().await?;
    }
    Ok(lines)
}

/// What a registration promises, and a put does not: nobody's record is overwritten, and with `watched` its removal is heard.
async fn guarded(room: &Room<'_>, count: usize, mode: &str, watched: bool) -> Result<Line> {
    let mut client = room.raw().await?;
    client.get("nothing", None).await?;
    let mut watch: Option<WatchStream> = None;
    let before = room.way.quiet().await;
    let begun = Instant::now();
    let leases = room.leases(&mut client, count).await?;
    let mut writes =
        stream::iter(0..count)
            .map(|number| {
                let (mut client, key) = (client.kv_client(), room.key(number));
                let options = PutOptions::new().with_lease(Room::lease_of(&leases, number));
                let put = TxnOp::put(key.as_str(), record(number), Some(options));
                let free = Compare::create_revision(key.as_str(), CompareOp::Equal, 0);
                async move {
                    client.txn(Txn::new().when([free]).and_then([put])).await.map(|answer| (key, answer))
                }
            })
            .buffer_unordered(WINDOW);
    while let Some((key, answer)) = writes.try_next().await? {
        let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
        let from = WatchOptions::new().with_start_revision(revision + 1);
        match &mut watch {
            _ if !watched => {}
            Some(watch) => watch.watch(key, Some(from)).await?,
            None => watch = Some(client.watch_client().watch(key, Some(from)).await?),
        }
    }
    let took = begun.elapsed();
    room.way.quiet().await;
    Ok(result(room, mode, WINDOW, count, took, &room.way.since(&before)))
}

/// A lease and a put on it.
async fn one(args: &Args, room: &Room<'_>) -> Result<Line> {
    let rounds = args.number("rounds");
    let mut client = room.raw().await?;
    client.get("nothing", None).await?;
    let (mut times, mut requests) = (Vec::new(), 0);
    for number in 0..rounds {
        let before = room.way.quiet().await;
        let begun = Instant::now();
        let lease = client.lease_grant(60, None).await?.id();
        let options = PutOptions::new().with_lease(lease);
        client.put(room.key(number), record(number), Some(options)).await?;
        times.push(begun.elapsed());
        room.way.quiet().await;
        requests += room.way.since(&before).requests;
        client.lease_revoke(lease).await?;
        if room.is_counting() && number == 2 {
            break;
        }
    }
    Ok(one_line(room, &times, requests, requests))
}

/// Puts, so many at once on one connection.
pub(crate) async fn pipelined(
    room: &Room<'_>,
    client: &etcd_client::Client,
    numbers: Range<usize>,
    window: usize,
    leases: &[i64],
) -> Result<Duration> {
    let first = numbers.start;
    let begun = Instant::now();
    stream::iter(numbers)
        .map(|number| {
            let mut client = client.kv_client();
            let options = PutOptions::new().with_lease(Room::lease_of(leases, number - first));
            async move { client.put(room.key(number), record(number), Some(options)).await.map(drop) }
        })
        .buffer_unordered(window)
        .try_collect::<()>()
        .await?;
    Ok(begun.elapsed())
}

async fn batches(
    room: &Room<'_>,
    client: &mut etcd_client::Client,
    count: usize,
    leases: &[i64],
) -> Result<()> {
    let numbers: Vec<usize> = (0..count).collect();
    for batch in numbers.chunks(100) {
        client.txn(room.batch(batch, leases)).await?;
    }
    Ok(())
}
