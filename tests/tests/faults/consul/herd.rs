//! F31: leaders that die before a herd, every one of which is told of a free lock.

use std::time::Duration;

use reception_tests::PATIENCE;
use tokio::time::sleep;

use crate::{
    leading::field::{Field, LOAD, must, told},
    scenario::Outcome,
    stage::Stage,
};

const SHORT: Duration = Duration::from_secs(2);
/// So many wait behind those that die, in the short form and in the full one.
const HERD: (usize, usize) = (6, 30);
/// How often one that waits may ask for the lock at a failover: once, and once more when the winner's session ended at once.
const TRIES: u64 = 2;
/// What one of them asks in all, but for passes and renewals: those tries, and after each the question that is held back; a look after a wait that told nothing.
const CALLS: u64 = 5;

/// F31, as a lock without a line has it. Leaders are killed one after another, before a herd of processes that are all told at once. Any of them may lead; one
/// does within the bound (I1, I2), and each of the others asks for the lock at most twice and then waits again, with a handful of requests in all.
pub(super) async fn a_failover_costs_each_that_waits_a_try_or_two(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f31", SHORT).await?;
    let rounds = stage.rounds(3, 20);
    let played = failovers(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn failovers(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    let all = if stage.full { HERD.1 } else { HERD.0 } + rounds as usize;
    field.join(stage, all, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for (round, left) in (0..rounds).zip((0..all).rev()) {
        // Whoever has just begun to wait does not count here.
        sleep(field.ttl).await;
        let at = field.fault("F31", &[leader.pid], &[])?;
        let before = stage.stand.tally().await.map_err(told)?;
        field.kill(leader.pid)?;
        leader = field.elected(at, field.failover()).await?;
        field.heal(LOAD)?;
        sleep(LOAD).await;
        let now = stage.stand.tally().await.map_err(told)?;
        let (left, tried) = (left as u64, now.writes - before.writes);
        let calls = now.calls.unwrap_or_default() - before.calls.unwrap_or_default();
        must((1..=left * TRIES).contains(&tried), || {
            format!("round {round}: {left} that wait sent {tried} writes")
        })?;
        must((tried..=left * CALLS).contains(&calls), || {
            format!("round {round}: {left} that wait sent {calls} calls")
        })?;
    }
    Ok(())
}
