//! Leaderships that an operator takes away: F21, F22.

use std::time::Duration;

use reception_lab::history::boot_ns;
use reception_tests::PATIENCE;

use super::field::{BACKOFF, Field, LOAD, WORD, between, must, told};
use crate::{scenario::Outcome, stage::Stage};

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(10);

pub(super) async fn a_leader_whose_lease_is_revoked_knows_at_once_at_2_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f21-2s", SHORT).await?;
    let rounds = stage.rounds(2, 10);
    let played = revoked(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

pub(super) async fn a_leader_whose_lease_is_revoked_knows_at_once_at_10_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f21-10s", LONG).await?;
    let rounds = stage.rounds(2, 10);
    let played = revoked(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F21, the leader's side. An operator revokes every lease. The leader knows within W of the end of that, the next token is larger (I2), and everybody stands again. The
/// next one leads after a backoff at most: its own lease was revoked as well, so the row's W + 1 s, which is for registrations, is not asked.
async fn revoked(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 3, &[]).await?;
    field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        // A fault may take two: the next one, too, that led while it went on.
        let leader = field.leads(BACKOFF + LOAD).await?;
        let all = field.others(0);
        let at = field.fault("F21", &all, &["early"])?;
        stage.stand.revoke(field.namespace()).await.map_err(told)?;
        // An operator may have to keep everybody out until the last lease is gone.
        let bound = WORD + LOAD + between(at, boot_ns());
        let lost = field.lost(leader.pid, at, bound).await?;
        let after = between(at, lost.ns);
        must(after <= bound, || format!("it knew after {after:?}, not within {bound:?}"))?;
        let next = field.elected(at, BACKOFF + LOAD).await?;
        must(next.token > leader.token, || format!("{next} after {leader}"))?;
        field.heal(LOAD)?;
        stand_again(field).await?;
    }
    Ok(())
}

pub(super) async fn a_leader_whose_key_is_deleted_knows_at_once_at_2_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f22-2s", SHORT).await?;
    let rounds = stage.rounds(3, 10);
    let played = deleted(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

pub(super) async fn a_leader_whose_key_is_deleted_knows_at_once_at_10_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f22-10s", LONG).await?;
    let rounds = stage.rounds(3, 10);
    let played = deleted(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F22, the leader's side. Its key is deleted and its lease lives on and is renewed: nothing but the watch on its own key can tell the leader. It knows within W,
/// the next token is larger, and everybody stands again (I1, I2).
async fn deleted(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 3, &[]).await?;
    field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        let leader = field.leads(BACKOFF + LOAD).await?;
        let at = field.fault("F22", &[leader.pid], &["early"])?;
        stage.stand.delete_leader(field.namespace(), Field::ELECTION).await.map_err(told)?;
        let next = field.elected(at, WORD + LOAD).await?;
        must(next.token > leader.token, || format!("{next} after {leader}"))?;
        let lost = field.lost(leader.pid, at, WORD + LOAD).await?;
        let after = between(at, lost.ns);
        must(after <= WORD + LOAD, || format!("it knew after {after:?}"))?;
        field.heal(LOAD)?;
        stand_again(field).await?;
    }
    Ok(())
}

/// All are candidates again, so that the next fault finds a line.
async fn stand_again(field: &Field) -> Outcome {
    for rival in &field.rivals {
        field.in_line(&rival.id, BACKOFF + Duration::from_secs(2) + LOAD).await?;
    }
    Ok(())
}
