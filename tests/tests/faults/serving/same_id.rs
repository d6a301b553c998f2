//! F23 and F24: one id and two processes, after each other and at once.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use reception::{Client, ClientExt as _, OnConflict, RegisterOptions};
use reception_lab::{
    Agent,
    history::{Bounds, Event, Line},
};
use tokio::time::{Instant, sleep};

use super::{
    cast::{Ids, PATIENCE, SETTLE, api, dial, hold, ids_of, instance, text},
    ledger::Ledger,
    sight::Sight,
};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(2);
/// How many processes die and come back at once.
const TOGETHER: u32 = 3;
/// How long the second life is looked at where the first leaves no lease.
const LOOKED: Duration = Duration::from_secs(2);
/// How long two processes want one id.
const CONTEST: Duration = Duration::from_secs(10);
/// What full jitter from 50 ms, doubling, with a second between two tries at most, makes of that: seven tries up to a second and one a
/// second from there on, with room for short waits.
const TRIES: u64 = 25;

/// F23. A process that registered is killed (SIGKILL) and started again at once with the same id, at any moment of its renewals: 3
/// rounds together (51 in full). The second life waits for the lease of the first to end. From its registration on there is exactly one
/// entry at all times, for 2 V and longer, which is past the end of whatever the first life left.
pub(super) async fn a_quick_restart_with_the_same_id_keeps_one_entry(stage: &mut Stage) -> Outcome {
    for batch in 0..stage.rounds(1, 17) {
        let ledger = Ledger::open(stage)?;
        let namespace = format!("quick{batch}");
        let reader = dial(&stage.direct(&namespace, TTL)).await?;
        let sight = Sight::record(&reader, "the reader's watch", &ledger).await?;
        let lives: Vec<(u32, Duration)> =
            (0..TOGETHER).map(|lane| (lane, stage.span(Duration::ZERO, TTL))).collect();
        let stage = &*stage;
        let lanes = lives.into_iter().map(|(lane, life)| {
            let (ledger, reader, namespace) = (&ledger, &reader, &namespace);
            async move {
                let url = stage.direct(namespace, TTL);
                let round = twice(stage, &url, ledger, reader, &format!("x{lane}"), life).await;
                round.map_err(|wrong| format!("batch {batch}, lane {lane}, killed after {life:?}: {wrong}"))
            }
        });
        try_join_all(lanes).await?;
        sight.shows("empty view", &Ids::new(), SETTLE).await?;
        // Waiting for the old life's lease is one removal, its return another one's.
        sight.flapped(2)?;
        // The watch ends with its client, of which no line tells.
        ledger.judge(&Bounds::default().ttl(TTL))?;
        reader.close().await.map_err(text)?;
    }
    Ok(())
}

/// The first life, its end, and the second.
async fn twice(
    stage: &Stage,
    url: &str,
    ledger: &Ledger,
    reader: &Arc<dyn Client>,
    name: &str,
    life: Duration,
) -> Outcome {
    let id = format!("{name}-0");
    let first = start(url, ledger, name)?;
    registered(ledger, &first, &id, PATIENCE).await?;
    sleep(life).await;
    ledger.kill(&first);
    let second = start(url, ledger, name)?;
    registered(ledger, &second, &id, PATIENCE).await?;
    let begun = Instant::now();
    let lease = stage.stand.granted(TTL) + stage.stand.expiry_slack();
    while begun.elapsed() < (lease * 2).max(LOOKED) {
        let view = reader.list(&api()).await.map_err(text)?;
        hold(view.get(&id).is_some(), || {
            format!(
                "{id} is not listed {:?} after its second registration: {:?}",
                begun.elapsed(),
                ids_of(&view)
            )
        })?;
        sleep(Duration::from_millis(20)).await;
    }
    let ended = second.terminate().await.map_err(text)?;
    hold(ended.success(), || format!("the second life ended with {ended}"))
}

/// F24. Two live processes want one id for 10 s. The second is told Conflict (law L8) and costs one write for each backoff step (I8); the
/// first notices nothing and its entry does not change. Then a third, the scenario's own, replaces it: the first is told that it has
/// ended, the second still gets nothing, and when the third withdraws the second has the id.
pub(super) async fn two_processes_with_one_id_do_not_push_each_other_out(stage: &mut Stage) -> Outcome {
    let ledger = Ledger::open(stage)?;
    let url = stage.direct("contest", TTL);
    let client = dial(&url).await?;
    let sight = Sight::open(&client, "the watch beside").await?;
    let first = start(&url, &ledger, "x")?;
    registered(&ledger, &first, "x-0", PATIENCE).await?;
    sight.until("the first process's entry", SETTLE, |seen| seen.ids.len() == 1).await?;

    let (items, writes) = (sight.now().items, stage.stand.tally().await.map_err(text)?.writes);
    let second = start(&url, &ledger, "x")?;
    sleep(CONTEST).await;
    let tried = stage.stand.tally().await.map_err(text)?.writes - writes;
    let least = u64::from(!stage.stand.reads_conflicts());
    hold((least..=TRIES).contains(&tried), || format!("{tried} writes in {CONTEST:?} of contest (I8)"))?;
    let told = |line: &Line| line.pid == second.pid() && line.details.get("register") == Some("Conflict");
    ledger.until("the second process's conflict", PATIENCE, told).await?;
    hold(sight.now().items == items, || format!("the entry changed: {:?}", sight.now()))?;
    let ended = |line: &Line| line.pid == first.pid() && line.details.get("state") == Some("ended");
    hold(!ledger.lines()?.iter().any(ended), || "the first process was told that it has ended".to_owned())?;

    let replace = RegisterOptions::default().on_conflict(OnConflict::Replace);
    let third = client.register_with(instance("x-0"), replace).await.map_err(text)?;
    ledger.until("the end of the first process's registration", SETTLE, ended).await?;
    let begun = Instant::now();
    while begun.elapsed() < TTL * 2 {
        let view = client.list(&api()).await.map_err(text)?;
        hold(view.get("x-0") == Some(&instance("x-0")), || format!("not the third's entry: {view:?}"))?;
        sleep(Duration::from_millis(50)).await;
    }
    third.close().await.map_err(text)?;
    registered(&ledger, &second, "x-0", PATIENCE).await?;
    for process in [first, second] {
        let ended = process.terminate().await.map_err(text)?;
        hold(ended.success(), || format!("a process ended with {ended}"))?;
    }
    ledger.judge(&Bounds::default().ttl(TTL))?;
    client.close().await.map_err(text)
}

/// A process that registers one instance of the service.
fn start(url: &str, ledger: &Ledger, name: &str) -> Result<Agent, String> {
    let history = ledger.path().display().to_string();
    let words = ["--url", url, "--history", &history, "--id", name, "--service", "api"];
    Agent::start(env!("CARGO_BIN_EXE_contender"), words).map_err(text)
}

async fn registered(ledger: &Ledger, process: &Agent, id: &str, bound: Duration) -> Outcome {
    let said = |line: &Line| {
        line.pid == process.pid() && line.event == Event::Registered && line.details.get("id") == Some(id)
    };
    ledger.until(&format!("registration of {id} by {}", process.pid()), bound, said).await
}
