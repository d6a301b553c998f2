//! F21 and F22: somebody ends a lease or deletes a record that is wanted.

use std::time::Duration;

use rand::Rng as _;
use reception_lab::history::Bounds;
use tokio::time::{Instant, sleep};

use super::{
    cast::{REPAIR, SETTLE, active, dial, hold, ids, listed, register, text},
    ledger::Ledger,
    sight::Sight,
};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(10);

/// F21, the registrar's side. Somebody revokes every lease, 5 times (50 in full), at any moment of the renewals. The owner hears of
/// it (W, which is not looked at by itself) and registers again within W + 1 s, on a new lease (on Consul, where nobody tells it, within R), with one removal and one return for each
/// instance at most (law L7). The leader's side is played among the leaders, with a bound of its own.
pub(super) async fn revoked_leases_are_granted_again_at_once(stage: &mut Stage) -> Outcome {
    let client = dial(&stage.direct("revoked", TTL)).await?;
    let reader = dial(&stage.direct("revoked", TTL)).await?;
    let all = ids("i", 0..20);
    let registrations = register(&client, all.clone()).await?;
    let sight = Sight::open(&reader, "the reader's watch").await?;
    for round in 0..stage.rounds(5, 50) {
        let calm = stage.span(Duration::ZERO, TTL / 4);
        sleep(calm).await;
        stage.stand.revoke("revoked").await.map_err(text)?;
        let begun = Instant::now();
        back(&reader, &all, stage.stand.back_after_revoke())
            .await
            .map_err(|late| format!("round {round}: {late} after {:?}", begun.elapsed()))?;
        sight.shows("full view", &all, SETTLE).await?;
        sight.flapped(round + 1)?;
    }
    active(&registrations, SETTLE).await?;
    client.close().await.map_err(text)?;
    reader.close().await.map_err(text)
}

/// F22, the registrar's side. Somebody deletes one record, 10 times (100 in full), and then all of them, while the lease lives. Each
/// comes back, and those beside it are not touched. The bound is R for every one, also where the owner hears of the deletion at once and
/// is far sooner; tokens have no part in it, the leader's side is played among the leaders.
pub(super) async fn deleted_records_are_written_again(stage: &mut Stage) -> Outcome {
    let client = dial(&stage.direct("deleted", TTL)).await?;
    let reader = dial(&stage.direct("deleted", TTL)).await?;
    let all = ids("i", 0..20);
    let ledger = Ledger::open(stage)?.client("registrar");
    let sight = Sight::record(&reader, "the reader's watch", &ledger).await?;
    let registrations = register(&client, all.clone()).await?;
    ledger.registered(&registrations);
    sight.shows("full view", &all, SETTLE).await?;
    let mut deleted = super::cast::Ids::new();
    for _ in 0..stage.rounds(10, 100) {
        let id = format!("i{}", stage.dice.random_range(0..10));
        ledger.taking("F22");
        stage.stand.delete_instance("deleted", "api", &id).await.map_err(text)?;
        deleted.insert(id);
        back(&reader, &all, REPAIR).await?;
        ledger.heal("F22", SETTLE);
    }
    sight.shows("full view", &all, SETTLE).await?;
    let removals = sight.now().removals;
    hold(removals.keys().all(|id| deleted.contains(id)), || {
        format!("{deleted:?} were deleted, and these went away: {removals:?}")
    })?;
    ledger.taking("F22");
    for id in &all {
        stage.stand.delete_instance("deleted", "api", id).await.map_err(text)?;
    }
    back(&reader, &all, REPAIR).await?;
    ledger.heal("F22", SETTLE);
    sight.shows("full view", &all, SETTLE).await?;
    active(&registrations, SETTLE).await?;
    ledger.judge(&Bounds::default().ttl(TTL))?;
    client.close().await.map_err(text)?;
    reader.close().await.map_err(text)
}

async fn back(
    reader: &std::sync::Arc<dyn reception::Client>,
    all: &super::cast::Ids,
    bound: Duration,
) -> Outcome {
    let probe = || async {
        let listed = listed(reader).await?;
        if listed == *all { Ok(()) } else { Err(format!("{} are listed: {listed:?}", listed.len())) }
    };
    reception_lab::eventually(bound, probe).await.map_err(|late| format!("not registered again: {late}"))
}
