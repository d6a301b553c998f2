//! Leaders whose link is slow: F8.

use std::time::Duration;

use reception_lab::{
    Flow, Way,
    history::{Event, Line},
};
use reception_tests::PATIENCE;
use tokio::time::{Instant, sleep};

use super::field::{BACKOFF, Field, LOAD, between, must, told};
use crate::{scenario::Outcome, stage::Stage};

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(10);

/// The least answer to a renewal in bytes, as it passes the proxy; pings are smaller.
const ANSWER: u64 = 50;
/// The least renewal in bytes, when no ping comes with it.
const RENEWAL: u64 = 30;

pub(super) async fn a_delay_of_a_fifth_is_led_through_and_of_a_half_is_a_clean_loss(
    stage: &mut Stage,
) -> Outcome {
    let mut field = Field::open(stage, "f08", SHORT).await?;
    let rounds = stage.rounds(1, 5);
    let played = delayed(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F8. Each way in turn is delayed by up to a fifth of T, which is led through (I7), then by about half of it, which is a clean loss: the leader knows
/// by D, and only then another leads (I1).
async fn delayed(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 2, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for way in (0..rounds).flat_map(|_| [Way::ToClient, Way::ToServer]) {
        let at = field.fault("F8", &[leader.pid], &["short"])?;
        slow(field, leader.pid, way, field.ttl * 3 / 20, field.ttl / 20)?;
        sleep(field.ttl * 2).await;
        field.read()?;
        let lost = field.said(leader.pid, Event::Lost, at, u64::MAX);
        must(lost == 0, || format!("a delay of a fifth of the lease {way:?} cost the leadership"))?;
        let at = field.fault("F8", &[leader.pid], &[])?;
        slow(field, leader.pid, way, field.ttl * 9 / 20, field.ttl / 10)?;
        let lost = field.lost(leader.pid, at, field.deadline() + LOAD).await?;
        let next = field.elected(at, field.ttl + field.failover()).await?;
        must(next.ns >= lost.ns, || {
            format!("{} was elected before {} knew of its loss", next.pid, leader.pid)
        })?;
        field.rival(leader.pid)?.proxy.heal().await.map_err(told)?;
        field.heal(LOAD)?;
        let id = field.rival(leader.pid)?.id.clone();
        field.in_line(&id, BACKOFF + Duration::from_secs(2) + LOAD).await?;
        leader = field.elected_last()?;
    }
    Ok(())
}

fn slow(field: &Field, pid: u32, way: Way, base: Duration, jitter: Duration) -> Outcome {
    field.rival(pid)?.proxy.set(way, Flow::Delay { base, jitter });
    Ok(())
}

pub(super) async fn answers_that_come_late_before_a_silence_buy_no_time(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f08-late", LONG).await?;
    let rounds = stage.rounds(1, 5);
    let played = late(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// An answer takes nearly as long as a try may, then nothing comes any more: the time that it took must not count as leased.
async fn late(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 2, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        let at = field.fault("F8", &[leader.pid], &[])?;
        slow(field, leader.pid, Way::ToClient, field.ttl * 22 / 100, Duration::ZERO)?;
        answered(field, leader.pid).await?;
        let proxy = &field.rival(leader.pid)?.proxy;
        proxy.set_both(Flow::Swallow);
        let silent = reception_lab::history::boot_ns();
        leader = followed(field, leader, at, silent).await?;
    }
    Ok(())
}

pub(super) async fn an_answer_that_comes_late_when_nothing_goes_out_any_more_buys_no_time(
    stage: &mut Stage,
) -> Outcome {
    let mut field = Field::open(stage, "f08-last", LONG).await?;
    let rounds = stage.rounds(1, 5);
    let played = last(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// As before, and with the renewal the way to the server ends: pings, which some sessions live on as well, arrive no more.
async fn last(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 2, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        let at = field.fault("F8", &[leader.pid], &[])?;
        slow(field, leader.pid, Way::ToClient, field.ttl * 22 / 100, Duration::ZERO)?;
        renewed(field, leader.pid).await?;
        field.rival(leader.pid)?.proxy.set(Way::ToServer, Flow::Swallow);
        let silent = reception_lab::history::boot_ns();
        leader = followed(field, leader, at, silent).await?;
    }
    Ok(())
}

/// The one whose renewals end at `silent`, from a fault at `at` on, knows in time and before the next one leads; then all is mended.
async fn followed(field: &mut Field, leader: Line, at: u64, silent: u64) -> Result<Line, String> {
    let next = field.elected(at, field.ttl + field.failover()).await?;
    let lost = field.lost(leader.pid, at, field.ttl).await?;
    must(next.ns >= lost.ns, || {
        let before = between(next.ns, lost.ns);
        format!("{} was elected {before:?} before {} knew of its loss", next.pid, leader.pid)
    })?;
    let kept = between(silent, lost.ns);
    must(kept <= field.deadline() + LOAD, || format!("it led for {kept:?} after its last renewal"))?;
    field.rival(leader.pid)?.proxy.heal().await.map_err(told)?;
    field.heal(LOAD)?;
    let id = field.rival(leader.pid)?.id.clone();
    field.in_line(&id, BACKOFF + Duration::from_secs(2) + LOAD).await?;
    Ok(next)
}

/// Waits until this one has sent a renewal.
async fn renewed(field: &Field, pid: u32) -> Outcome {
    let proxy = &field.rival(pid)?.proxy;
    let (mut before, end) = (proxy.counts().bytes_to_server, Instant::now() + field.ttl);
    loop {
        sleep(Duration::from_millis(5)).await;
        let sent = proxy.counts().bytes_to_server;
        if sent >= before + RENEWAL {
            return Ok(());
        }
        must(Instant::now() < end, || "no renewal".to_owned())?;
        before = sent;
    }
}

/// Waits until a delayed answer to a renewal has reached this one.
async fn answered(field: &Field, pid: u32) -> Outcome {
    let proxy = &field.rival(pid)?.proxy;
    // What was under way before the delay does not count.
    sleep(field.ttl / 10).await;
    let (before, end) = (proxy.counts().bytes_to_client, Instant::now() + field.ttl);
    while proxy.counts().bytes_to_client < before + ANSWER {
        must(Instant::now() < end, || "no answer to a renewal".to_owned())?;
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
