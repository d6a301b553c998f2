//! Contenders that are killed, stopped and started at random: F1 and F2 without an end between.

use std::time::Duration;

use rand::Rng as _;
use reception_lab::history::Event;
use reception_tests::PATIENCE;
use tokio::time::{Instant, sleep};

use crate::{
    leading::{
        field::{BACKOFF, Field, LOAD, must},
        silence::{SERVING, instances, listed},
    },
    scenario::Outcome,
    stage::Stage,
};

/// So many at a time.
const CONTENDERS: usize = 5;

/// F1 and F2 together. For 10 s (60 s in full) contenders that lead, serve and watch are killed, stopped and started at random, several at a time. No two ever
/// hold, tokens grow, the fence refuses whatever is stale (I1, I2, I9); and when it is over one leads, and the list and every watch show the
/// instances of the living, and no other (I3).
pub(super) async fn contenders_killed_and_stopped_at_random_never_lead_twice(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f01-storm", Duration::ZERO).await?;
    let span = Duration::from_secs(stage.rounds(10, 60).into());
    let played = storm(stage, &mut field, span).await;
    field.close(stage, played).await
}

async fn storm(stage: &mut Stage, field: &mut Field, span: Duration) -> Outcome {
    field.join(stage, CONTENDERS, SERVING).await?;
    field.elected(0, PATIENCE).await?;
    let all = field.others(0);
    let mut still: Vec<(u32, Instant)> = Vec::new();
    let end = Instant::now() + span;
    field.fault("F1", &all, &[])?;
    while Instant::now() < end {
        let calm = stage.span(Duration::ZERO, Duration::from_millis(400));
        sleep(calm).await;
        for (pid, _) in still.extract_if(.., |(_, until)| *until <= Instant::now()) {
            field.resume(pid)?;
        }
        let victim = field.rivals[stage.dice.random_range(0..field.rivals.len())].agent.pid();
        let stands = still.iter().any(|(pid, _)| *pid == victim);
        if stage.dice.random() {
            still.retain(|(pid, _)| *pid != victim);
            field.kill(victim)?;
            field.enter(stage, SERVING).await?;
        } else if !stands {
            field.pause(victim)?;
            let moment = stage.span(Duration::from_millis(50), Duration::from_millis(1500));
            still.push((victim, Instant::now() + moment));
        }
    }
    for (pid, _) in still {
        field.resume(pid)?;
    }
    let limit = BACKOFF + Duration::from_secs(2) + LOAD;
    field.heal(limit)?;
    let (pids, ids) = (field.others(0), instances(field));
    for rival in &field.rivals {
        field.in_line(&rival.id, limit).await?;
    }
    listed(field, &ids, limit).await?;
    field.all_see(&pids, &ids, limit).await?;
    let elected = field.lines.iter().filter(|line| line.event == Event::Elected).count();
    must(elected > 2, || format!("only {elected} were elected"))
}
