//! Registrations and watches whose way to the folder is cut: F27, F28.

use std::time::Duration;

use reception::ClientExt as _;
use reception_lab::history::Bounds;
use tokio::time::{Instant, sleep};

use crate::{
    scenario::Outcome,
    serving::{
        behind::{churn, equal},
        cast::{SETTLE, dial, hold, ids, instance, listed, register, text},
        ledger::Ledger,
        sight::Sight,
    },
    stage::{Stage, folder},
};

/// How soon what was withdrawn is gone, on a busy machine.
const GONE: Duration = Duration::from_secs(1);
/// How long it is looked whether it comes back.
const LOOKED: Duration = Duration::from_secs(3);

/// F27. One registration of three is closed and one dropped while the client's way to the folder leads nowhere. To let a lock go needs no way: the
/// close is Ok, both are gone at once, and they never come back, whatever is done when the way is mended (I5); the third stays.
pub(super) async fn what_is_withdrawn_in_a_cut_is_gone_at_once_for_good(stage: &mut Stage) -> Outcome {
    for round in 0..stage.rounds(3, 30) {
        let (proxy, namespace) = (stage.proxy().await, format!("cut{round}"));
        let client = dial(&stage.through(proxy.endpoint(), &namespace, Duration::ZERO)).await?;
        let beside = dial(&stage.direct(&namespace, Duration::ZERO)).await?;
        let ledger = Ledger::open(stage)?.client("cut");
        let sight = Sight::record(&beside, "the watch beside", &ledger).await?;
        let mut registrations = register(&client, ids("i", 0..3)).await?;
        ledger.registered(&registrations);
        sight.shows("full view", &ids("i", 0..3), SETTLE).await?;
        ledger.fault("F27", false);
        folder(stage)?.cut(proxy.endpoint()).map_err(text)?;
        let kept = registrations.remove(0);
        ledger.abandon(registrations.remove(1));
        ledger.withdraw(registrations.remove(0)).await.map_err(text)?;
        let span = stage.span(Duration::ZERO, Duration::from_secs(1));
        sight.shows("view of the one that stays", &ids("i", [0]), GONE).await?;
        sleep(span).await;
        folder(stage)?.heal(proxy.endpoint()).map_err(text)?;
        ledger.heal("F27", SETTLE);
        let healed = Instant::now();
        while healed.elapsed() < LOOKED {
            let shown = listed(&beside).await?;
            hold(shown == ids("i", [0]), || format!("{shown:?} {:?} after the heal", healed.elapsed()))?;
            sleep(Duration::from_millis(50)).await;
        }
        hold(kept.service() == instance("i0"), || "the one that stays is another".to_owned())?;
        sight.flapped(1)?;
        ledger.judge(&Bounds::default().ttl(Duration::ZERO))?;
        client.close().await.map_err(text)?;
        beside.close().await.map_err(text)?;
    }
    Ok(())
}

/// F28. One watch's way to the folder is cut, 1000 changes are made (updates, withdrawals, new instances), and the way is mended. The watch
/// said Stale meanwhile, and is alive with exactly the store's view within B + 2 s (I3, I4). A watch beside it follows all along, and was never stale.
pub(super) async fn a_watch_that_missed_a_thousand_changes_reads_anew(stage: &mut Stage) -> Outcome {
    let proxy = stage.proxy().await;
    let writer = dial(&stage.direct("missed", Duration::ZERO)).await?;
    let reader = dial(&stage.through(proxy.endpoint(), "missed", Duration::ZERO)).await?;
    let (cut, beside) = (
        Sight::open(&reader, "the watch in the cut").await?,
        Sight::open(&writer, "the watch beside").await?,
    );
    let mut held = register(&writer, ids("i", 0..50)).await?;
    for sight in [&cut, &beside] {
        sight.shows("full view", &ids("i", 0..50), SETTLE).await?;
    }
    for round in 0..stage.rounds(1, 10) {
        let resets = cut.now().resets;
        folder(stage)?.cut(proxy.endpoint()).map_err(text)?;
        held = churn(&writer, held, &mut stage.dice, round).await?;
        cut.until("word that the view may be old", SETTLE, |seen| seen.stale).await?;
        equal(&beside, &writer, "beside the cut").await?;
        folder(stage)?.heal(proxy.endpoint()).map_err(text)?;
        let healed = Instant::now();
        cut.until("reset after the heal", SETTLE, |seen| seen.resets > resets && !seen.stale).await?;
        equal(&cut, &writer, "after the heal").await?;
        hold(healed.elapsed() <= SETTLE, || format!("it took {:?} to be exact", healed.elapsed()))?;
        // Alive is who hears of what comes next.
        held.push(writer.register(instance(&format!("alive{round}"))).await.map_err(text)?);
        equal(&cut, &writer, "after one more change").await?;
        hold(beside.now().stales.is_empty(), || "a watch beside the cut was stale".to_owned())?;
    }
    reader.close().await.map_err(text)?;
    writer.close().await.map_err(text)
}
