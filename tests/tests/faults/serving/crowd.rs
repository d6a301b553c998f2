//! F30: many watches in many processes.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::try_join_all;
use reception_lab::{
    Agent, Proxy, eventually,
    history::{Bounds, Event, boot_ns},
};
use tokio::time::sleep;

use super::{
    cast::{Ids, PATIENCE, SETTLE, dial, hold, ids, register, tasks, text},
    ledger::Ledger,
    sight::Sight,
};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(10);
/// Watches in the scenario's own process, and in each other one.
const OURS: usize = 500;
const THEIRS: usize = 50;
/// So few that their owner watches each by itself.
const INSTANCES: u64 = 5;
const AWAY: Duration = Duration::from_millis(500);

/// F30. 500 watches of one service in this process and 50 in each of 3 others (10 in full), each process behind a proxy of its own; the
/// server is killed and started again. Before and after it serves one watch for each process (law L17). Everybody shows the service
/// again within X, also what comes after, and connects no more than once for each backoff step; ten processes or more come back spread
/// over a second where their driver does not decide (I8). The tasks of this process are as many as before (I6).
pub(super) async fn a_crowd_of_watches_costs_one_each_and_comes_back_spread(stage: &mut Stage) -> Outcome {
    let ledger = Ledger::open(stage)?;
    let registrar = dial(&stage.direct("crowd", TTL)).await?;
    let mut all = ids("i", 0..INSTANCES);
    let mut held = register(&registrar, all.clone()).await?;
    ledger.registered(&held);
    let (proxy, processes) = (stage.proxy().await, stage.rounds(3, 10) as usize);
    let client = dial(&stage.through(proxy.endpoint(), "crowd", TTL)).await?;
    let ours = try_join_all((0..OURS).map(|number| {
        let (client, ledger) = (&client, &ledger);
        async move { Sight::record(client, &format!("watch {number}"), ledger).await }
    }))
    .await?;
    let mut others = Vec::new();
    for number in 0..processes {
        let proxy = stage.proxy().await;
        others.push((start(stage, &ledger, &proxy, number)?, proxy));
    }
    shown(&ledger, &ours, processes, &all, 0, PATIENCE).await?;
    let each = stage.stand.watches_of_an_owner();
    let watches = processes as u64 + 1 + INSTANCES * each;
    settled(stage, watches).await?;
    // A server that starts may keep a connection whose client has long gone; who passes it on is none of ours.
    let own = || {
        let proxies = others.iter().map(|(_, proxy)| proxy).chain([&proxy]);
        let passed: u64 = proxies.map(|proxy| proxy.counts().open_connections).sum();
        tasks() as u64 - passed - stage.stand.relayed()
    };
    let before = own();

    ledger.fault("F30", true);
    stage.stand.kill();
    sleep(AWAY).await;
    let restarting = boot_ns();
    stage.stand.restart().await.map_err(text)?;
    ledger.heal("F30", SETTLE);
    shown(&ledger, &ours, processes, &all, restarting, SETTLE).await?;
    let changed = boot_ns();
    all.insert("later".to_owned());
    held.extend(register(&registrar, ["later".to_owned()]).await?);
    ledger.registered(&held[held.len() - 1..]);
    shown(&ledger, &ours, processes, &all, changed, SETTLE).await?;
    settled(stage, watches + each).await?;
    // The new instance has a task.
    let flat = || async { if own() <= before + 1 { Ok(()) } else { Err(own()) } };
    let grew = |late| format!("more than {before} tasks and one (I6): {late}");
    eventually(SETTLE, flat).await.map_err(|late| grew(late.to_string()))?;

    ledger.arrivals("ours", &proxy);
    for (number, (agent, proxy)) in others.iter().enumerate() {
        ledger.arrivals(&format!("p{number}"), proxy);
        let ended = agent.terminate().await.map_err(text)?;
        hold(ended.success(), || format!("process {number} ended with {ended}"))?;
    }
    drop(ours);
    client.close().await.map_err(text)?;
    registrar.close().await.map_err(text)?;
    ledger.judge(&Bounds::default().spread(stage.stand.spread()))
}

fn start(stage: &Stage, ledger: &Ledger, proxy: &Proxy, number: usize) -> Result<Agent, String> {
    let (url, history) = (stage.through(proxy.endpoint(), "crowd", TTL), ledger.path().display().to_string());
    let id = format!("p{number}");
    let mut words = vec!["--url", &url, "--history", &history, "--id", &id];
    words.extend(["--watch", "api"].repeat(THEIRS));
    Agent::start(env!("CARGO_BIN_EXE_contender"), words).map_err(text)
}

/// Waits until every watch has shown this set after this time.
async fn shown(
    ledger: &Ledger,
    ours: &[Sight],
    processes: usize,
    all: &Ids,
    since: u64,
    bound: Duration,
) -> Outcome {
    try_join_all(ours.iter().map(|sight| sight.shows("full view", all, bound))).await?;
    let wanted: Vec<&str> = all.iter().map(String::as_str).collect();
    let (own, count) = (std::process::id(), processes * THEIRS);
    let probe = || async {
        let mut views = BTreeSet::new();
        for line in ledger.lines()? {
            if line.pid == own || line.ns < since || line.event != Event::Snapshot {
                continue;
            }
            if line.details.list("ids").is_some_and(|ids| ids.eq(wanted.iter().copied())) {
                views.insert((line.pid, line.details.get("watch").map(str::to_owned)));
            }
        }
        if views.len() == count { Ok(()) } else { Err(format!("{} of {count} watches", views.len())) }
    };
    let late = |late| format!("the other processes do not show {} instances: {late}", all.len());
    eventually(bound, probe).await.map_err(late)
}

/// Waits until the server serves as many watches as this.
async fn settled(stage: &Stage, watches: u64) -> Outcome {
    let probe = || async {
        let now = stage.stand.tally().await.map_err(text)?.watches;
        if now == watches { Ok(()) } else { Err(now.to_string()) }
    };
    let late = |late| format!("the server does not serve {watches} watches (law L17): {late}");
    eventually(SETTLE, probe).await.map_err(late)
}
