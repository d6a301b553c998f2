//! F7: connections that are reset again and again.

use std::{fs, net::SocketAddr, time::Duration};

use reception::{ClientExt as _, Leadership};
use reception_lab::{Proxy, eventually, history::Bounds};
use tokio::time::{Instant, sleep};

use super::{
    cast::{BACKOFF, SETTLE, active, dial, hold, ids, instance, register, tasks, text},
    ledger::Ledger,
    sight::Sight,
};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_secs(2);
/// The tasks of a connection, the proxy's among them.
const TASKS: usize = 6;

/// F7. Every connection of one client is reset every 2 s for 10 s (60 s in full). Each fault is far shorter than the lease bridges
/// (I7), so nothing may be lost: no leadership, no instance, for the client itself and for a watch beside it. At most 2 connections
/// (on Consul 4, where questions share none) are made for each reset (I8), and afterwards the client has as many tasks and sockets as before (I6):
/// before is after the first reset, not before it, since the first connection anew leaves what stays (the tasks that try again).
///
/// The resets come from the proxy: `ss -K` and a REJECT rule need rights that a test does not have. They reach both sides, as those
/// do.
pub(super) async fn resets_every_two_seconds_cost_nothing(stage: &mut Stage) -> Outcome {
    let proxy = stage.proxy().await;
    let client = dial(&stage.through(proxy.endpoint(), "resets", TTL)).await?;
    let beside = dial(&stage.direct("resets", TTL)).await?;
    let ledger = Ledger::open(stage)?;
    let outside = Sight::record(&beside, "the watch beside", &ledger).await?;
    let inside = Sight::record(&client, "the client's own watch", &ledger).await?;
    let all = ids("i", 0..20);
    let registrations = register(&client, all.clone()).await?;
    ledger.registered(&registrations);
    let elector = client.elector(&"reaper".parse().expect("a name")).await.map_err(text)?;
    let leadership = elector.elect(instance("i0")).await.map_err(text)?;
    for sight in [&outside, &inside] {
        sight.shows("full view", &all, SETTLE).await?;
    }
    let connections = proxy.counts().connections;
    let mut before = (usize::MAX, usize::MAX);

    let resets = u64::from(stage.rounds(5, 30));
    for round in 1..=resets {
        ledger.fault("F7", true);
        let begun = Instant::now();
        proxy.reset().await.map_err(text)?;
        ledger.heal("F7", SETTLE);
        sleep(EVERY.saturating_sub(begun.elapsed())).await;
        held(&leadership, round)?;
        if round == 1 {
            let spare = stage.stand.spare_connections();
            before = (tasks() + spare * TASKS, sockets_to(proxy.endpoint()) + spare);
        }
    }
    inside.until("reset after the last break", SETTLE, |seen| seen.resets > 1 && seen.shows(&all)).await?;
    active(&registrations, SETTLE).await?;
    let made = proxy.counts().connections - connections;
    let connects = stage.stand.connects();
    hold(made <= connects * resets, || format!("{made} connections for {resets} resets (I8)"))?;
    outside.shows("full view", &all, SETTLE).await?;
    for sight in [&outside, &inside] {
        sight.flapped(0)?;
    }
    hold(outside.now().stales.is_empty(), || "a watch beside the resets saw them".to_owned())?;
    flat(before, &proxy).await?;
    held(&leadership, resets)?;
    leadership.resign().await.map_err(text)?;
    for registration in registrations {
        ledger.withdraw(registration).await.map_err(text)?;
    }
    ledger.arrivals("the client", &proxy);
    let one = u32::try_from(connects / 2).unwrap_or(1);
    ledger.judge(&Bounds::default().connections(one))?;
    client.close().await.map_err(text)?;
    beside.close().await.map_err(text)
}

fn held(leadership: &Leadership, round: u64) -> Outcome {
    hold(leadership.is_held(), || format!("the leadership was lost at reset {round}: {leadership:?}"))
}

/// A task that ends what is over may still be at it.
async fn flat(before: (usize, usize), proxy: &Proxy) -> Outcome {
    let probe = || async {
        let now = (tasks(), sockets_to(proxy.endpoint()));
        if now.0 <= before.0 && now.1 <= before.1 { Ok(()) } else { Err(now) }
    };
    let late = |late| format!("(tasks, sockets) grew from {before:?} (I6): {late}");
    eventually(BACKOFF, probe).await.map_err(|error| late(format!("{error:?}")))
}

/// The sockets of this machine that lead to an address: only the scenario's own clients know it. Its descriptors cannot be counted as
/// such, since other scenarios play in the same process.
fn sockets_to(address: SocketAddr) -> usize {
    let port = format!(":{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let leads_there = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // One that only waits for its time to pass belongs to nobody and has no inode.
        words.get(2).is_some_and(|remote| remote.ends_with(&port))
            && words.get(9).is_some_and(|inode| *inode != "0")
    };
    table.lines().filter(leads_there).count()
}
