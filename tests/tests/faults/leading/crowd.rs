//! A long line of candidates, and leaders that die before it: F31.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use reception::{Client, ClientExt as _, Service};
use reception_lab::{Proxy, eventually};
use reception_tests::PATIENCE;
use tokio::{task::JoinSet, time::sleep};

use super::field::{Field, LOAD, must, told};
use crate::{scenario::Outcome, stage::Stage};

const SHORT: Duration = Duration::from_secs(2);

/// So many wait.
pub(crate) const WAITING: usize = 200;

/// What the crowd may send at a failover, a plain call counted as a stream and a message: a tenth of a message from each. None was seen.
const FEW: u64 = WAITING as u64 / 10;

/// Their lease is long, so that renewals do not hide what a failover costs.
const PATIENT: Duration = Duration::from_secs(900);

/// F31. Candidates that stand before a crowd of 200 lead and are killed one after another. Whoever is next leads within the bound; the crowd, none of
/// which is ever next, sends next to nothing: its leases are long, so that no renewal is among what is counted. That the next one itself needs two requests at any
/// number of candidates is counted in `tests/costs/hand_over.rs`.
pub(super) async fn a_failover_wakes_only_the_next_in_line(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f31", SHORT).await?;
    let rounds = stage.rounds(3, 20);
    let played = failovers(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn failovers(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, rounds as usize + 1, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    let proxy = stage.proxy().await;
    let crowd: Arc<dyn Client> =
        reception::dial(&stage.through(proxy.endpoint(), field.namespace(), PATIENT)).await.map_err(told)?;
    let mut waiting = JoinSet::new();
    waiting.spawn(wait(Arc::clone(&crowd)));
    let wanted = WAITING + rounds as usize + 1;
    let stand = || async {
        let standing = field.elector.candidates().await.map_err(told)?.len();
        must(standing == wanted, || format!("{standing} of {wanted} stand"))
    };
    eventually(PATIENCE, stand).await.map_err(told)?;
    // Until the last of them watches the one before it.
    sleep(field.ttl).await;
    for _ in 0..rounds {
        let at = field.fault("F31", &[leader.pid], &[])?;
        let before = asked(&proxy);
        field.kill(leader.pid)?;
        leader = field.elected(at, field.failover()).await?;
        field.heal(LOAD)?;
        sleep(LOAD).await;
        let cost = asked(&proxy) - before;
        must(cost <= FEW, || format!("{WAITING} that wait sent {cost} messages at a failover"))?;
        must(waiting.try_join_next().is_none(), || "one of those behind came first".to_owned())?;
    }
    waiting.shutdown().await;
    crowd.close().await.map_err(told)
}

/// Everything that the line has sent.
fn asked(proxy: &Proxy) -> u64 {
    let counts = proxy.counts();
    counts.requests + counts.messages_to_server
}

/// Stands many times over; answers when one of them wins or fails.
pub(crate) async fn wait(client: Arc<dyn Client>) -> Outcome {
    let elector = client.elector(&Field::ELECTION.parse().map_err(told)?).await.map_err(told)?;
    let stand = |number: usize| {
        let candidate = Service::builder("crowd", "127.0.0.1", 1).id(&format!("w{number}")).build();
        let elector = &elector;
        async move { elector.elect(candidate.map_err(told)?).await.map(drop).map_err(told) }
    };
    let mut all: FuturesUnordered<_> = (0..WAITING).map(stand).collect();
    all.next().await.unwrap_or(Ok(()))
}
