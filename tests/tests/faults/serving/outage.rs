//! F27: registrations that are withdrawn while the store cannot be reached.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use reception::{Client, Registration};
use reception_lab::{Flow, Proxy, Way, eventually, history::Bounds};
use tokio::time::{Instant, sleep, timeout};

use super::{
    cast::{BACKOFF, SETTLE, dial, hold, ids, instance, listed, register, text},
    ledger::Ledger,
    sight::Sight,
};
use crate::{scenario::Outcome, stage::Stage};

const TTL: Duration = Duration::from_secs(4);
/// How long one call may take, as the URLs here say.
const CALL: Duration = Duration::from_secs(2);
/// What a call may take beyond its own bound, on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// An outage, as one client sees it.
#[derive(Clone, Copy, Debug)]
enum Outage {
    Cut,
    Silent,
    Deaf,
    Mute,
    Stalled,
}

const OUTAGES: [Outage; 5] = [Outage::Cut, Outage::Silent, Outage::Deaf, Outage::Mute, Outage::Stalled];

impl Outage {
    async fn begin(self, proxy: &Proxy) -> Outcome {
        match self {
            Self::Cut => return proxy.cut().await.map_err(text),
            Self::Silent => proxy.set_both(Flow::Swallow),
            Self::Deaf => proxy.set(Way::ToClient, Flow::Swallow),
            Self::Mute => proxy.set(Way::ToServer, Flow::Swallow),
            Self::Stalled => proxy.set_both(Flow::Stall),
        }
        Ok(())
    }
}

/// F27. One registration of three is closed and one dropped while the store cannot be reached: five kinds of outage at once, three
/// rounds of each in full. The close answers within its bound; the two are gone at the heal + B or after V, whichever comes first
/// (V + W on the server's own clock), and never come back (I5); the third stays. The fault is the cut client's alone: the watch beside it is excused
/// by nothing.
pub(super) async fn what_is_withdrawn_in_an_outage_is_gone_after_it_and_stays_gone(
    stage: &mut Stage,
) -> Outcome {
    for round in 0..stage.rounds(1, 3) {
        let mut places = Vec::new();
        for outage in OUTAGES {
            places.push((outage, stage.proxy().await, stage.span(Duration::from_millis(100), TTL * 2)));
        }
        let stage = &*stage;
        let lanes = places.into_iter().map(|(outage, proxy, span)| one(stage, outage, proxy, span, round));
        try_join_all(lanes).await?;
    }
    Ok(())
}

async fn one(stage: &Stage, outage: Outage, proxy: Proxy, span: Duration, round: u32) -> Outcome {
    let namespace = format!("outage{round}{outage:?}");
    let url = format!("{}&timeout={}ms", stage.through(proxy.endpoint(), &namespace, TTL), CALL.as_millis());
    let client = dial(&url).await?;
    let beside = dial(&stage.direct(&namespace, TTL)).await?;
    let ledger = Ledger::open(stage)?.client("cut");
    let sight = Sight::record(&beside, &format!("the watch beside a {outage:?}"), &ledger).await?;
    let mut registrations = register(&client, ids("i", 0..3)).await?;
    ledger.registered(&registrations);
    sight.shows("full view", &ids("i", 0..3), SETTLE).await?;

    ledger.fault("F27", false);
    outage.begin(&proxy).await?;
    let begun = Instant::now();
    let kept = registrations.remove(0);
    ledger.abandon(registrations.remove(1));
    let closing = registrations.remove(0);
    withdraw(&ledger, closing, outage).await?;
    sleep(span.saturating_sub(begun.elapsed())).await;
    proxy.heal().await.map_err(text)?;
    let healed = Instant::now();
    ledger.heal("F27", BACKOFF.max(TTL) + CALL + CALL);
    let bound = BACKOFF.min(stage.stand.granted(TTL) + stage.stand.expiry_slack()) + CALL;
    gone(&beside, bound).await.map_err(|late| format!("{outage:?} of {span:?}: {late}"))?;
    // For ever is as long as anything of ours can still be under way.
    while healed.elapsed() < TTL * 2 {
        let shown = listed(&beside).await?;
        hold(!shown.contains("i1") && !shown.contains("i2"), || {
            format!(
                "{outage:?} of {span:?}: one came back {:?} after the heal (I5): {shown:?}",
                healed.elapsed()
            )
        })?;
        sleep(Duration::from_millis(50)).await;
    }
    sight.shows("view of the one that stays", &ids("i", [0]), SETTLE).await?;
    hold(kept.service() == instance("i0"), || "the one that stays is another".to_owned())?;
    ledger.judge(&Bounds::default().ttl(TTL))?;
    client.close().await.map_err(text)?;
    beside.close().await.map_err(text)
}

/// Closes within the bound of a close.
async fn withdraw(ledger: &Ledger, registration: Registration, outage: Outage) -> Outcome {
    let begun = Instant::now();
    let closed = timeout(CALL * 2 + SLACK, ledger.withdraw(registration)).await;
    let answer =
        closed.map_err(|_| format!("{outage:?}: a close did not answer in {:?}", begun.elapsed()))?;
    // What is sent and answered in no way cannot be known to be gone.
    hold(answer.is_err(), || format!("{outage:?}: a close was Ok without an answer from the store"))
}

async fn gone(beside: &Arc<dyn Client>, bound: Duration) -> Outcome {
    let probe = || async {
        let shown = listed(beside).await?;
        if shown.contains("i1") || shown.contains("i2") { Err(format!("{shown:?}")) } else { Ok(()) }
    };
    eventually(bound, probe).await.map_err(|late| format!("what was withdrawn is not gone (I5): {late}"))
}
