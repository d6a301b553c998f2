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
/// So many wait behind those that die.
const HERD: usize = 6;
/// How often one that waits may ask for the lock at a failover: once, and once more when the winner's session ended at once.
const TRIES: u64 = 2;

/// F31, as a lock without a line has it. Leaders are killed one after another, before a herd of processes that are all told at once. Any of them may lead; one
/// does within the bound (I1, I2), and each of the others asks for the lock at most twice and then waits again.
pub(super) async fn a_failover_costs_each_that_waits_a_try_or_two(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f31", SHORT).await?;
    let rounds = stage.rounds(3, 20);
    let played = failovers(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn failovers(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    let all = HERD + rounds as usize;
    field.join(stage, all, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for (round, left) in (0..rounds).zip((0..all).rev()) {
        // Whoever has just begun to wait does not count here.
        sleep(field.ttl).await;
        let at = field.fault("F31", &[leader.pid], &[])?;
        let before = stage.stand.tally().await.map_err(told)?.writes;
        field.kill(leader.pid)?;
        leader = field.elected(at, field.failover()).await?;
        field.heal(LOAD)?;
        sleep(LOAD).await;
        let tried = stage.stand.tally().await.map_err(told)?.writes - before;
        let most = left as u64 * TRIES;
        must((1..=most).contains(&tried), || format!("round {round}: {left} that wait sent {tried} writes"))?;
    }
    Ok(())
}
