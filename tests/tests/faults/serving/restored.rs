//! F18: a store that goes back in time.

use std::time::Duration;

use reception::{Registration, RegistrationState};
use reception_lab::eventually;
use tokio::time::sleep;

use super::{
    cast::{BACKOFF, Ids, REPAIR, SETTLE, active, dial, hold, ids, listed, register, text},
    sight::{Seen, Sight},
};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(4);

/// F18, on a store that can be saved. A snapshot is taken, instances come and go, and an operator puts the snapshot back: revisions
/// are smaller than those that clients have seen, what came later is missing, and what had gone is there again. Both watches must
/// notice at the first answer and show what the store holds (I3, I4: no stream ends); what is wanted is registered again within R + B;
/// and what was withdrawn before, which the snapshot brought back, goes within R + B and a lease. Twice (10 times in full).
///
/// A Consul index forced backwards is that backend's form of it.
pub(super) async fn a_store_set_back_to_an_older_snapshot_is_read_anew(stage: &mut Stage) -> Outcome {
    let registrar = dial(&stage.direct("restored", TTL)).await?;
    let reader = dial(&stage.direct("restored", TTL)).await?;
    let sights = [
        Sight::open(&registrar, "the registrar's watch").await?,
        Sight::open(&reader, "the reader's watch").await?,
    ];
    for round in 0..stage.rounds(2, 10) {
        let early = ids(&format!("early{round}x"), 0..5);
        let late = ids(&format!("late{round}x"), 0..5);
        let mut held = register(&registrar, early.clone()).await?;
        stage.stand.save().await.map_err(text)?;
        held.extend(register(&registrar, late.clone()).await?);
        let (gone, kept) = part(held);
        let gone_ids = names(&gone);
        for registration in gone {
            registration.close().await.map_err(text)?;
        }
        let wanted = names(&kept);
        for sight in &sights {
            sight.shows("view before the restore", &wanted, SETTLE).await?;
        }
        let calm = stage.span(Duration::ZERO, TTL);
        sleep(calm).await;
        let before = sights.each_ref().map(Sight::now);
        stage.stand.restore().await.map_err(text)?;
        let folder = stage.stand.folder().is_some();
        for (sight, before) in sights.iter().zip(before) {
            // A folder is read on without a break, so that the difference alone may come.
            let noticed = |seen: &Seen| match folder {
                true => seen.items > before.items,
                false => seen.resets > before.resets,
            };
            sight.until("reset after the restore", SETTLE, |seen| noticed(seen) && !seen.stale).await?;
        }
        let bound = REPAIR + BACKOFF + stage.stand.granted(TTL) + stage.stand.expiry_slack();
        let exact = || async {
            let shown = listed(&reader).await?;
            if shown == wanted { Ok(()) } else { Err(differs(&shown, &wanted)) }
        };
        eventually(bound, exact).await.map_err(|late| {
            format!("round {round}: the list is not what is wanted ({gone_ids:?} were withdrawn): {late}")
        })?;
        for sight in &sights {
            sight.shows("what is wanted", &wanted, SETTLE).await?;
        }
        active(&kept, SETTLE).await?;
        let ended = kept.iter().find(|held| matches!(held.state(), RegistrationState::Ended(_)));
        hold(ended.is_none(), || format!("a registration ended: {ended:?}"))?;
        for registration in kept {
            registration.close().await.map_err(text)?;
        }
        for sight in &sights {
            sight.shows("empty view", &Ids::new(), SETTLE).await?;
        }
    }
    registrar.close().await.map_err(text)?;
    reader.close().await.map_err(text)
}

/// Two of five go.
fn part(held: Vec<Registration>) -> (Vec<Registration>, Vec<Registration>) {
    held.into_iter().partition(|registration| registration.service().id().as_str().ends_with(['0', '1']))
}

fn names(held: &[Registration]) -> Ids {
    held.iter().map(|registration| registration.service().id().to_string()).collect()
}

fn differs(shown: &Ids, wanted: &Ids) -> String {
    let (more, fewer): (Vec<_>, Vec<_>) =
        (shown.difference(wanted).collect(), wanted.difference(shown).collect());
    format!("too many {more:?}, missing {fewer:?}")
}
