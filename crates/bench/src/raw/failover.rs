//! A queue of keys: the next in line watches the one before it, and looks again once that is gone.

use std::time::Duration;

use etcd_client::{GetOptions, PutOptions, SortOrder, SortTarget, WatchOptions};
use tokio::time::{Instant, sleep};

use super::removed;
use crate::{
    Result,
    args::Args,
    commands::kill_line,
    report::{Line, micros, per},
    room::Room,
};

/// The watch is open by then.
const OPEN: Duration = Duration::from_millis(5);

pub(crate) async fn resign(args: &Args, room: &Room<'_>, rounds: usize) -> Result<Vec<Line>> {
    let count = args.number("candidates");
    let (mut leader, mut next) = (room.raw().await?, room.raw().await?);
    let (mut events, mut verified, mut requests) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        let queue = room.beside(&format!("queue/{round}/"));
        let key = |number: usize| format!("{queue}{number:04}");
        for number in 0..count {
            leader.put(key(number), "candidate", None).await?;
        }
        let mut watch = next.watch(key(0), Some(WatchOptions::new())).await?;
        sleep(OPEN).await;
        let before = room.way.quiet().await;
        let begun = Instant::now();
        let (resigned, won) = tokio::join!(leader.delete(key(0), None), async {
            removed(&mut watch).await?;
            let event = begun.elapsed();
            let first = GetOptions::new().with_prefix().with_limit(1);
            let first = first.with_sort(SortTarget::Create, SortOrder::Ascend);
            let found = next.get(queue.as_str(), Some(first)).await?;
            Ok::<_, crate::Failure>((event, begun.elapsed(), found))
        });
        requests += room.way.since(&before).requests;
        resigned?;
        let (event, verify, found) = won?;
        if found.kvs().first().map(etcd_client::KeyValue::key) != Some(key(1).as_bytes()) {
            return Err("another candidate leads".into());
        }
        events.push(event);
        verified.push(verify);
    }
    Ok(vec![
        room.line("failover_resign")
            .with("candidates", count)
            .with("rounds", rounds)
            .timed("event_p50_us", micros(&events, 0.5))
            .timed("event_p99_us", micros(&events, 0.99))
            .timed("verified_p50_us", micros(&verified, 0.5))
            .timed("verified_p99_us", micros(&verified, 0.99))
            .counted("requests", per(requests, rounds)),
    ])
}

/// The leader dies right after a renewal: the longest wait there is.
pub(crate) async fn kill(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let ttl = i64::try_from(args.number("ttl"))?;
    let (mut leader, mut next) = (room.raw().await?, room.raw().await?);
    let (mut times, mut granted) = (Vec::new(), Duration::ZERO);
    for round in 0..args.number("rounds").div_ceil(10) {
        let key = room.beside(&format!("killed/{round}"));
        let lease = leader.lease_grant(ttl, None).await?;
        granted = Duration::from_secs(u64::try_from(lease.ttl())?);
        let options = PutOptions::new().with_lease(lease.id());
        leader.put(key.as_str(), "leader", Some(options)).await?;
        let mut watch = next.watch(key.as_str(), None).await?;
        let (mut keeper, mut renewals) = leader.lease_keep_alive(lease.id()).await?;
        keeper.keep_alive().await?;
        renewals.message().await?;
        let begun = Instant::now();
        removed(&mut watch).await?;
        times.push(begun.elapsed());
    }
    Ok(vec![kill_line(room, args, &times, granted)])
}
