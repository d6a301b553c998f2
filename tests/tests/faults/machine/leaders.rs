//! Leaders that stand still, lose their way to the folder, or have a long line behind them: F2, F5, F31.

use std::{sync::Arc, time::Duration};

use reception::Client;
use reception_lab::{eventually, history::Event};
use reception_tests::PATIENCE;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    leading::{
        crowd::{WAITING, wait},
        field::{BACKOFF, Field, LOAD, WORD, must, told},
        silence::{SERVING, instances, listed},
    },
    scenario::Outcome,
    stage::{Stage, folder},
};

/// How long a candidate that stands still is waited for before it is passed, and the look that finds it.
const PASSED: Duration = Duration::from_secs(3);

/// F2. The leader is stopped for up to 3 s and continued, and so is, with it, the first of those that wait. Nobody leads beside it: its lock is the
/// system's. It leads on with its old token. Then it is stopped and killed, and the next leads, past a candidate that stands still (I1, I2).
pub(super) async fn a_stopped_leader_leads_on_and_is_followed_once_it_is_killed(
    stage: &mut Stage,
) -> Outcome {
    let mut field = Field::open(stage, "f02-local", Duration::ZERO).await?;
    let rounds = stage.rounds(2, 10);
    let played = stopped(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn stopped(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 4, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        let next = field.rivals.iter().find(|rival| rival.agent.pid() != leader.pid);
        let next = next.map(|rival| rival.agent.pid()).ok_or("nobody waits")?;
        let span = stage.span(Duration::from_secs(1), Duration::from_secs(3));
        field.pause(leader.pid)?;
        field.pause(next)?;
        sleep(span).await;
        field.read()?;
        let since =
            |line: &&reception_lab::history::Line| line.event == Event::Elected && line.ns > leader.ns;
        let beside = field.lines.iter().filter(since).count();
        must(beside == 0, || format!("{beside} were elected beside one that stands still"))?;
        let awake = field.resume(leader.pid)?;
        let claims = |line: &reception_lab::history::Line| {
            line.event == Event::Claim && line.pid == leader.pid && line.token == leader.token
        };
        field.until("claim with the old token", awake, LOAD, claims).await?;
        sleep(LOAD).await;
        field.read()?;
        let lost = field.said(leader.pid, Event::Lost, 0, u64::MAX);
        must(lost == 0, || "a leader that stood still lost its leadership".to_owned())?;
        field.pause(leader.pid)?;
        let at = field.fault("F2", &[leader.pid], &[])?;
        field.kill(leader.pid)?;
        let followed = field.elected(at, PASSED + field.failover()).await?;
        must(followed.pid != next, || "one that stands still was elected".to_owned())?;
        field.resume(next)?;
        field.heal(LOAD)?;
        field.join(stage, 1, &[]).await?;
        leader = followed;
    }
    Ok(())
}

/// F5. The leader's way to the folder leads nowhere, as a mount that is gone: it knows within W, and only then another leads. Its instances
/// stay, since it lives. When the way is mended it is a candidate again within B + 2 s (I1, I3).
pub(super) async fn a_leader_that_loses_its_folder_steps_down_before_the_next_leads(
    stage: &mut Stage,
) -> Outcome {
    let mut field = Field::open(stage, "f05-local", Duration::ZERO).await?;
    let rounds = stage.rounds(2, 10);
    let played = cut(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn cut(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 3, SERVING).await?;
    let (pids, ids) = (field.others(0), instances(field));
    let mut leader = field.elected(0, PATIENCE).await?;
    field.all_see(&pids, &ids, PATIENCE).await?;
    for _ in 0..rounds {
        let (way, id) = {
            let rival = field.rival(leader.pid)?;
            (rival.proxy.endpoint(), rival.id.clone())
        };
        let at = field.fault("F5", &[leader.pid], &[])?;
        folder(stage)?.cut(way).map_err(told)?;
        let lost = field.lost(leader.pid, at, WORD + LOAD).await?;
        let next = field.elected(at, WORD + LOAD).await?;
        must(next.pid != leader.pid && next.ns >= lost.ns, || format!("{next} before {lost}"))?;
        listed(field, &ids, LOAD).await?;
        let span = stage.span(Duration::ZERO, Duration::from_secs(2));
        sleep(span).await;
        folder(stage)?.heal(way).map_err(told)?;
        let limit = BACKOFF + Duration::from_secs(2) + LOAD;
        field.heal(limit)?;
        field.in_line(&id, limit).await?;
        field.all_see(&pids, &ids, limit).await?;
        leader = next;
    }
    Ok(())
}

/// F31. Candidates that stand before a crowd of 200 lead and are killed one after another. Whoever is next leads within the bound, and none of the
/// crowd does. What the crowd does meanwhile is not counted: the death of a leader is told to all who wait.
pub(super) async fn a_long_line_is_followed_one_by_one(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f31-local", Duration::ZERO).await?;
    let rounds = stage.rounds(3, 20);
    let played = failovers(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn failovers(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, rounds as usize + 1, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    let crowd: Arc<dyn Client> =
        reception::dial(&stage.direct(field.namespace(), Duration::ZERO)).await.map_err(told)?;
    let mut waiting = JoinSet::new();
    waiting.spawn(wait(Arc::clone(&crowd)));
    let wanted = WAITING + rounds as usize + 1;
    let stand = || async {
        let standing = field.elector.candidates().await.map_err(told)?.len();
        must(standing == wanted, || format!("{standing} of {wanted} stand"))
    };
    eventually(PATIENCE, stand).await.map_err(told)?;
    for _ in 0..rounds {
        let at = field.fault("F31", &[leader.pid], &[])?;
        field.kill(leader.pid)?;
        leader = field.elected(at, field.failover()).await?;
        field.heal(LOAD)?;
        must(waiting.try_join_next().is_none(), || "one of those behind came first".to_owned())?;
    }
    waiting.shutdown().await;
    crowd.close().await.map_err(told)
}
