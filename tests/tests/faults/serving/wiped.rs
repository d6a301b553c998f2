//! F17: a server that starts again, with its data and without.

use std::time::Duration;

use reception::ClientExt as _;
use reception_lab::{eventually, history::Bounds};
use tokio::time::{sleep, timeout};

use super::{
    cast::{
        BACKOFF, PATIENCE, REPAIR, SETTLE, active, dial, hold, ids, instance, listed, register, tasks, text,
        told,
    },
    ledger::Ledger,
    sight::{Seen, Sight},
};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(10);
/// How long the server stays away at most.
const AWAY: Duration = Duration::from_secs(1);

/// F17, the data kept. A server is killed and started again 5 times (20 in full) under 200 registrations and two watches, each time
/// at another moment of the renewals. Leases live on over a restart, so nothing may flap (I7; where the store itself takes instances for gone, each at most once, and for no longer
/// than the stand says), no stream may end (I4), and each time
/// both watches show the live set again within X = B + 2 s of the start, and a change besides.
pub(super) async fn restarts_lose_no_registration_and_end_no_stream(stage: &mut Stage) -> Outcome {
    let client = dial(&stage.direct("restarts", TTL)).await?;
    let reader = dial(&stage.direct("restarts", TTL)).await?;
    let ledger = Ledger::open(stage)?;
    let mut all = ids("i", 0..200);
    let sights = [
        Sight::record(&client, "the registrar's watch", &ledger).await?,
        Sight::record(&reader, "the reader's watch", &ledger).await?,
    ];
    let mut registrations = register(&client, all.clone()).await?;
    ledger.registered(&registrations);
    for sight in &sights {
        sight.shows("full view", &all, SETTLE).await?;
    }
    let mut before = usize::MAX;
    for round in 0..stage.rounds(5, 20) {
        let resets = sights.each_ref().map(|sight| sight.now().resets);
        let (calm, away) = (stage.span(Duration::ZERO, TTL / 5), stage.span(Duration::ZERO, AWAY));
        sleep(calm).await;
        let hidden = stage.stand.hidden_after_restart();
        match hidden {
            Some(_) => ledger.taking("F17"),
            None => ledger.fault("F17", true),
        }
        stage.stand.kill();
        sleep(away).await;
        stage.stand.restart().await.map_err(text)?;
        ledger.heal("F17", SETTLE);
        for (sight, resets) in sights.iter().zip(resets) {
            let what = format!("whole view after restart {round}");
            let fits = |seen: &Seen| seen.resets > resets && seen.shows(&all);
            sight.until(&what, hidden.unwrap_or(SETTLE), fits).await?;
        }
        all.insert(format!("later{round}"));
        registrations.extend(register(&client, [format!("later{round}")]).await?);
        ledger.registered(&registrations[registrations.len() - 1..]);
        for sight in &sights {
            sight.shows(&format!("change after restart {round}"), &all, SETTLE).await?;
            sight.flapped(hidden.map_or(0, |_| round + 1))?;
        }
        if round == 0 {
            before = tasks() - registrations.len();
        }
    }
    active(&registrations, SETTLE).await?;
    hold(listed(&reader).await? == all, || "the list is not what is registered".to_owned())?;
    // A registration is a task; those that end what is over may still be at it. So is a connection: each client may have kept fewer at the first look.
    let spare = 2 * stage.stand.spare_connections();
    let flat = || async {
        let now = tasks() - registrations.len();
        if now <= before + spare { Ok(()) } else { Err(now) }
    };
    let grew = |late| format!("{before} tasks beside the registrations after the first restart (I6): {late}");
    eventually(SETTLE, flat).await.map_err(|late| grew(late.to_string()))?;
    ledger.judge(&Bounds::default())?;
    client.close().await.map_err(text)?;
    reader.close().await.map_err(text)
}

/// F17. A server is stopped, loses its data and starts anew. Watches get a Reset (on a folder of this machine the difference will do: nothing
/// breaks there that would have to be made good), everything that is wanted is registered again within
/// R + B, a leadership of the old data is over, and the next token is of another domain.
pub(super) async fn what_a_wiped_store_lost_is_registered_again(stage: &mut Stage) -> Outcome {
    let client = dial(&stage.direct("wiped", TTL)).await?;
    let reader = dial(&stage.direct("wiped", TTL)).await?;
    let all = ids("i", 0..20);
    let sights = [
        Sight::open(&client, "the registrar's watch").await?,
        Sight::open(&reader, "the reader's watch").await?,
    ];
    let registrations = register(&client, all.clone()).await?;
    for sight in &sights {
        sight.shows("full view", &all, SETTLE).await?;
    }
    let elector = client.elector(&"reaper".parse().expect("a name")).await.map_err(text)?;
    let mut leadership = elector.elect(instance("i0")).await.map_err(text)?;
    for round in 0..stage.rounds(2, 10) {
        let before = sights.each_ref().map(Sight::now);
        let calm = stage.span(Duration::ZERO, TTL / 5);
        sleep(calm).await;
        stage.stand.wipe().await.map_err(text)?;
        let folder = stage.stand.folder().is_some();
        for (sight, before) in sights.iter().zip(before) {
            let what = format!("whole view after wipe {round}");
            let noticed = |seen: &Seen| match folder {
                true => seen.items > before.items,
                false => seen.resets > before.resets,
            };
            sight.until(&what, REPAIR + BACKOFF, |seen| noticed(seen) && seen.shows(&all)).await?;
            sight.flapped(round + 1)?;
        }
        timeout(TTL, leadership.lost()).await.map_err(|_| "a leadership outlived its store".to_owned())?;
        let electing = timeout(PATIENCE, elector.elect(instance("i0")));
        let again = electing.await.map_err(|_| "nobody leads in the new store".to_owned())?.map_err(text)?;
        let order = again.token().partial_cmp(&leadership.token());
        hold(order.is_none(), || format!("{} and {} have an order", leadership.token(), again.token()))?;
        leadership = again;
        registrations[0].update(told("i0", round)).await.map_err(text)?;
        let told = |seen: &Seen| {
            let view = seen.view.as_ref();
            view.and_then(|view| view.get("i0")?.attribute("round")) == Some(&round.to_string())
        };
        for sight in &sights {
            sight.until("change in the new store", SETTLE, |seen| told(seen)).await?;
        }
    }
    active(&registrations, SETTLE).await?;
    client.close().await.map_err(text)?;
    reader.close().await.map_err(text)
}
