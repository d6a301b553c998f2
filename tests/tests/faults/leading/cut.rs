//! Leaders and candidates whose connection is cut between a request and its reply: F25.

use std::time::Duration;

use rand::Rng as _;
use reception_lab::history::Event;
use reception_tests::PATIENCE;
use tokio::time::{Instant, sleep};

use super::field::{Field, LOAD, must};
use crate::{scenario::Outcome, stage::Stage};

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(10);

/// How long a leader of this field leads before it resigns.
const REIGN: &str = "150";

pub(super) async fn cuts_before_the_reply_make_no_second_leader_at_2_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f25-2s", SHORT).await?;
    let rounds = stage.rounds(40, 500);
    let played = cut(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

pub(super) async fn cuts_before_the_reply_make_no_second_leader_at_10_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f25-10s", LONG).await?;
    let rounds = stage.rounds(40, 500);
    let played = cut(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F25. With leaders that soon resign every request is cut in turn: grants, campaigns, looks, renewals, revocations. No second leader comes of it, and the
/// last token is the largest (I1, I2). The whole run is one fault of all, so what a fault excuses (I3, I7, I10) is not judged here.
async fn cut(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 3, &["--lead-for", REIGN]).await?;
    field.elected(0, PATIENCE).await?;
    let all = field.others(0);
    let begun = field.fault("F25", &all, &[])?;
    for _ in 0..rounds {
        let one = stage.dice.random_range(0..field.rivals.len());
        sleep(stage.span(Duration::ZERO, Duration::from_millis(60))).await;
        let proxy = &field.rivals[one].proxy;
        let before = proxy.counts().replies_cut;
        proxy.cut_before_reply("");
        let end = Instant::now() + field.ttl;
        while proxy.counts().replies_cut == before && Instant::now() < end {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let cut: u64 = field.rivals.iter().map(|rival| rival.proxy.counts().replies_cut).sum();
    must(cut >= u64::from(rounds) / 2, || format!("only {cut} replies were cut in {rounds} rounds"))?;
    let healed = field.heal(LOAD)?;
    field.elected(healed, field.ttl + field.failover()).await?;
    let led = field.lines.iter().filter(|line| line.event == Event::Elected && line.ns >= begun).count();
    must(led > 1, || "nobody was followed by anybody".to_owned())
}

pub(super) async fn a_renewal_whose_reply_is_cut_costs_no_leadership_at_2_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f25-renewals-2s", SHORT).await?;
    let rounds = stage.rounds(4, 100);
    let played = renewals(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

pub(super) async fn a_renewal_whose_reply_is_cut_costs_no_leadership_at_10_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f25-renewals-10s", LONG).await?;
    let rounds = stage.rounds(2, 20);
    let played = renewals(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F25, renewals. The connection is cut after a renewal has reached the store and before its answer: the next one finds the lease alive, and the
/// leadership goes on (I7).
async fn renewals(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 2, &[]).await?;
    let leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        let at = field.fault("F25", &[leader.pid], &["short"])?;
        let proxy = &field.rival(leader.pid)?.proxy;
        let before = proxy.counts().replies_cut;
        proxy.cut_before_reply("");
        let end = Instant::now() + field.ttl;
        while proxy.counts().replies_cut == before {
            must(Instant::now() < end, || "no renewal to cut".to_owned())?;
            sleep(Duration::from_millis(5)).await;
        }
        // Two renewals of good health.
        sleep(field.ttl * 2 / 3).await;
        field.heal(LOAD)?;
        field.read()?;
        let lost = field.said(leader.pid, Event::Lost, at, u64::MAX);
        must(lost == 0, || "a cut reply cost the leadership".to_owned())?;
    }
    Ok(())
}
