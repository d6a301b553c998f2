//! A queue of keys: the next in line watches the one before it, and looks again once that is gone.

use std::time::Duration;

use etcd_client::{GetOptions, PutOptions, SortOrder, SortTarget, WatchOptions};
use tokio::time::{Instant, sleep, sleep_until};

use super::removed;
use crate::{
    Result,
    args::Args,
    commands::{kill_line, kills, resign_line, rounds, stagger},
    report::Line,
    room::Room,
};

/// The watch is open by then.
const OPEN: Duration = Duration::from_millis(5);

pub(crate) async fn resign(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (count, rounds) = (args.number("candidates"), rounds(args, room));
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
            let leads = first(&mut next, &queue).await?;
            Ok::<_, crate::Failure>((event, begun.elapsed(), leads))
        });
        requests += room.way.since(&before).requests;
        resigned?;
        let (event, verify, leads) = won?;
        if leads != key(1) {
            return Err("another candidate leads".into());
        }
        events.push(event);
        verified.push(verify);
    }
    Ok(vec![resign_line(room, count, (&events, &verified), requests)])
}

/// The leader dies right after a renewal, a third of its lease after the grant, as ours does.
pub(crate) async fn kill(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (ttl, rounds) = (i64::try_from(args.number("ttl"))?, kills(args));
    let (mut leader, mut next) = (room.raw().await?, room.raw().await?);
    let (mut times, mut granted) = (Vec::new(), Duration::ZERO);
    for round in 0..rounds {
        stagger(round, rounds).await;
        let queue = room.beside(&format!("killed/{round}/"));
        let key = |number: usize| format!("{queue}{number:04}");
        let lease = leader.lease_grant(ttl, None).await?;
        let due = Instant::now();
        granted = Duration::from_secs(u64::try_from(lease.ttl())?);
        let options = PutOptions::new().with_lease(lease.id());
        leader.put(key(0), "leader", Some(options)).await?;
        for number in 1..args.number("candidates") {
            next.put(key(number), "candidate", None).await?;
        }
        let mut watch = next.watch(key(0), None).await?;
        sleep_until(due + granted / 3).await;
        // Answered: the call waits for the first answer on its stream.
        let _renewals = leader.lease_keep_alive(lease.id()).await?;
        let begun = Instant::now();
        removed(&mut watch).await?;
        let leads = first(&mut next, &queue).await?;
        times.push(begun.elapsed());
        if leads != key(1) {
            return Err("another candidate leads".into());
        }
    }
    Ok(vec![kill_line(room, args, &times, granted)])
}

/// The key that has stood longest.
async fn first(client: &mut etcd_client::Client, queue: &str) -> Result<String> {
    let first = GetOptions::new().with_prefix().with_limit(1);
    let first = first.with_sort(SortTarget::Create, SortOrder::Ascend);
    let found = client.get(queue, Some(first)).await?;
    Ok(found.kvs().first().ok_or("nobody stands")?.key_str()?.to_owned())
}
