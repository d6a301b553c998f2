//! Leaders that are killed, or stopped and continued: F1, F2, F3.

use std::time::Duration;

use rand::Rng as _;
use reception_lab::history::{Event, Line};
use reception_tests::PATIENCE;
use tokio::time::sleep;

use super::field::{Field, LOAD, between, must};
use crate::{scenario::Outcome, stage::Stage};

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(10);

/// How late a renewal may be sent on a busy machine: a lease may end that much earlier after a kill.
const TARDY: Duration = Duration::from_millis(400);

/// How soon a process that was continued says that it leads no more.
const WAKE: Duration = Duration::from_millis(250);

pub(super) async fn a_killed_leader_is_followed_by_one_other_at_2_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f01-2s", SHORT).await?;
    let rounds = stage.rounds(3, 20);
    let played = killed(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

pub(super) async fn a_killed_leader_is_followed_by_one_other_at_10_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f01-10s", LONG).await?;
    let rounds = stage.rounds(2, 20);
    let played = killed(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F1. The leader of five candidates is killed at any moment of its renewals. Exactly one other leads within T + 0.5 s, what the store takes to notice and what a busy machine
/// adds, and not before two thirds of T, since that much at least is left of a lease that is renewed every third of it (I1, I2).
async fn killed(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 5, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        sleep(stage.span(Duration::ZERO, field.ttl / 3)).await;
        let at = field.fault("F1", &[leader.pid], &[])?;
        field.kill(leader.pid)?;
        leader = field.elected(at, field.failover()).await?;
        field.heal(LOAD)?;
        let after = between(at, leader.ns);
        let least = field.ttl * 2 / 3;
        must(after + TARDY >= least, || format!("a successor after {after:?} already, not after {least:?}"))?;
        field.join(stage, 1, &[]).await?;
    }
    Ok(())
}

pub(super) async fn a_stopped_leader_wakes_up_as_none_at_2_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f02-2s", SHORT).await?;
    let rounds = stage.rounds(2, 10);
    let played = stopped(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

pub(super) async fn a_stopped_leader_wakes_up_as_none_at_10_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f02-10s", LONG).await?;
    let rounds = stage.rounds(1, 5);
    let played = stopped(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F2. The leader is stopped for 3 V and continued. Its first look after that says that it does not lead, it knows its loss 250 ms after it
/// goes on, and what it writes with its old token then is refused (I1, I2, I9).
async fn stopped(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 3, &["--write-on-loss"]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        sleep(stage.span(Duration::ZERO, field.ttl / 3)).await;
        let at = field.fault("F2", &[leader.pid], &[])?;
        field.pause(leader.pid)?;
        let next = field.elected(at, field.failover()).await?;
        must(next.pid != leader.pid, || "the stopped one was elected".to_owned())?;
        written(field, next.pid, next.ns).await?;
        sleep((field.ttl * 3).saturating_sub(between(at, next.ns))).await;
        let awake = field.resume(leader.pid)?;
        let lost = field.lost(leader.pid, awake, WAKE + LOAD).await?;
        let claims = field.said(leader.pid, Event::Claim, awake, lost.ns);
        must(claims == 0, || format!("{} said {claims} times that it leads after it woke up", leader.pid))?;
        refused(field, leader.pid, awake).await?;
        field.heal(LOAD)?;
        leader = next;
    }
    Ok(())
}

pub(super) async fn a_leader_stopped_before_its_write_is_refused(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f03", SHORT).await?;
    let rounds = stage.rounds(2, 20);
    let played = stopped_before_write(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F3. The leader stops itself (SIGSTOP) exactly between `is_held()` and its write, for longer than V, and goes on to the write: no clock can help
/// there, and the fenced store refuses it. Each round must see such a refusal (I2).
async fn stopped_before_write(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    for _ in 0..rounds {
        let number = stage.dice.random_range(20..=80).to_string();
        field.join(stage, 1, &["--stop-before-write", &number]).await?;
        let first = field.rivals.last().map(|rival| rival.agent.pid()).unwrap_or_default();
        let led =
            field.until("leader", 0, PATIENCE, |line| line.event == Event::Elected && line.pid == first);
        led.await?;
        field.join(stage, 2, &[]).await?;
        let stop = |line: &Line| line.event == Event::Stopped && line.pid == first;
        let stopped = field.until("stop before a write", 0, PATIENCE, stop).await?;
        field.fault("F3", &[first], &[])?;
        let next = field.elected(stopped.ns, field.failover()).await?;
        written(field, next.pid, next.ns).await?;
        sleep(field.ttl.saturating_sub(between(stopped.ns, next.ns))).await;
        let awake = field.resume(first)?;
        refused(field, first, awake).await?;
        field.lost(first, awake, WAKE + LOAD).await?;
        field.heal(LOAD)?;
        // Then the next to join leads at once.
        field.dismiss().await?;
    }
    Ok(())
}

/// Waits for a write of this one that the store accepted.
pub(crate) async fn written(field: &mut Field, pid: u32, from: u64) -> Outcome {
    let written =
        |line: &Line| line.event == Event::Write && line.pid == pid && line.details.flag("accepted");
    field.until("write of the new leader", from, PATIENCE, written).await.map(drop)
}

/// The next write of this one must come, and must be refused.
pub(crate) async fn refused(field: &mut Field, pid: u32, from: u64) -> Outcome {
    let write = |line: &Line| line.event == Event::Write && line.pid == pid;
    let write = field.until("write with the old token", from, PATIENCE, write).await?;
    must(!write.details.flag("accepted"), || format!("the store accepted a stale write: {write}"))
}
