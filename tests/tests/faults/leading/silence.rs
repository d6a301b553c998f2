//! Leaders whose link falls silent, whole or one way, and servers that stop: F4, F5, F6, F9, F10.

use std::time::Duration;

use reception::{ClientExt as _, ServiceName};
use reception_lab::{
    Flow, Way, eventually,
    history::{Event, Line},
};
use reception_tests::PATIENCE;
use tokio::time::sleep;

use super::field::{BACKOFF, Field, LOAD, between, must, told};
use crate::{scenario::Outcome, stage::Stage};

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(10);

/// How soon a watch says that it cannot follow a link that fell silent.
const NOTICE: Duration = Duration::from_secs(10);

/// Contenders that serve and watch besides.
pub(crate) const SERVING: &[&str] = &["--service", "api", "--instances", "2", "--watch", "api"];

/// What falls silent.
#[derive(Clone, Copy)]
enum Link {
    Both,
    One(Way),
}

impl Link {
    fn silence(self, field: &Field, pid: u32) -> Outcome {
        let proxy = &field.rival(pid)?.proxy;
        match self {
            Self::Both => proxy.set_both(Flow::Swallow),
            Self::One(way) => proxy.set(way, Flow::Swallow),
        }
        Ok(())
    }
}

macro_rules! silent {
    ($($(#[$doc:meta])* $name:ident: $file:literal, $fault:literal, $link:expr, $ttl:expr, $short:literal, $full:literal;)+) => { $(
        $(#[$doc])*
        pub(super) async fn $name(stage: &mut Stage) -> Outcome {
            let mut field = Field::open(stage, $file, $ttl).await?;
            let rounds = stage.rounds($short, $full);
            let played = silenced(stage, &mut field, $fault, $link, rounds).await;
            field.close(stage, played).await
        }
    )+ };
}

silent! {
    /// F4. Every byte of the leader's link vanishes, both ways, while its connections stand (from the proxy, not the packet filter). It knows by D, whatever TCP
    /// says, and only then another leads (I1); healed, it is a candidate again within B + 2 s.
    a_silenced_leader_steps_down_before_the_next_leads_at_2_s: "f04-2s", "F4", Link::Both, SHORT, 3, 20;
    /// F4, with a lease of 10 s.
    a_silenced_leader_steps_down_before_the_next_leads_at_10_s: "f04-10s", "F4", Link::Both, LONG, 1, 10;
    /// F9. Renewals arrive, their answers do not. As F4, and a successor comes once the lease, which the store has renewed, is given back or has run out.
    a_leader_that_hears_nothing_steps_down_before_the_next_leads_at_2_s: "f09-2s", "F9", Link::One(Way::ToClient), SHORT, 2, 20;
    /// F9, with a lease of 10 s.
    a_leader_that_hears_nothing_steps_down_before_the_next_leads_at_10_s: "f09-10s", "F9", Link::One(Way::ToClient), LONG, 1, 10;
    /// F10. Nothing arrives from the leader, answers would. As F4.
    a_leader_that_nobody_hears_steps_down_before_the_next_leads: "f10", "F10", Link::One(Way::ToServer), SHORT, 2, 20;
}

async fn silenced(stage: &mut Stage, field: &mut Field, name: &str, link: Link, rounds: u32) -> Outcome {
    field.join(stage, 3, &[]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        sleep(stage.span(Duration::ZERO, field.ttl / 3)).await;
        let at = field.fault(name, &[leader.pid], &[])?;
        link.silence(field, leader.pid)?;
        let next = succeeded(field, &leader, at, link).await?;
        field.rival(leader.pid)?.proxy.heal().await.map_err(told)?;
        field.heal(LOAD)?;
        let id = field.rival(leader.pid)?.id.clone();
        field.in_line(&id, BACKOFF + Duration::from_secs(2) + LOAD).await?;
        leader = next;
    }
    Ok(())
}

/// The old leader knows in time, and only then there is a new one.
async fn succeeded(field: &mut Field, leader: &Line, at: u64, link: Link) -> Result<Line, String> {
    let lost = field.lost(leader.pid, at, field.deadline() + LOAD).await?;
    let after = between(at, lost.ns);
    must(after <= field.deadline() + LOAD, || format!("it led on for {after:?}"))?;
    // Where renewals still arrive the lease ends later: it is given back, or it runs out.
    let more = if matches!(link, Link::One(Way::ToClient)) { field.ttl } else { Duration::ZERO };
    let next = field.elected(at, field.failover() + more).await?;
    must(next.pid != leader.pid, || "who is cut off was elected".to_owned())?;
    must(next.ns >= lost.ns, || format!("{} was elected before {} knew of its loss", next.pid, leader.pid))?;
    Ok(next)
}

/// F5. A leader whose link fell silent is healed after 3 V: within B + 2 s it is a candidate again, its instances are listed and every view
/// shows them (I3), and never does it say that it leads by its old claim.
pub(super) async fn a_leader_that_was_silenced_comes_back_as_a_candidate(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f05", SHORT).await?;
    let rounds = stage.rounds(1, 10);
    let played = healed(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

async fn healed(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    field.join(stage, 3, SERVING).await?;
    let (pids, ids) = (field.others(0), instances(field));
    let mut leader = field.elected(0, PATIENCE).await?;
    field.all_see(&pids, &ids, PATIENCE).await?;
    for _ in 0..rounds {
        let at = field.fault("F5", &[leader.pid], &[])?;
        Link::Both.silence(field, leader.pid)?;
        let next = succeeded(field, &leader, at, Link::Both).await?;
        sleep((field.ttl * 3).saturating_sub(between(at, next.ns))).await;
        let old = field.rival(leader.pid)?;
        let id = old.id.clone();
        old.proxy.heal().await.map_err(told)?;
        let limit = BACKOFF + Duration::from_secs(2) + LOAD;
        let healed = field.heal(limit)?;
        field.in_line(&id, limit).await?;
        listed(field, &ids, limit).await?;
        field.all_see(&pids, &ids, limit).await?;
        let led = field.said(leader.pid, Event::Claim, healed, u64::MAX);
        must(led == 0, || format!("{id} said {led} times that it leads, by its old claim"))?;
        leader = next;
    }
    Ok(())
}

pub(super) async fn a_lease_that_outlives_its_deadline_is_not_led_on(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f05-outlived", SHORT).await?;
    let rounds = stage.rounds(2, 10);
    let played = outlived(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// A client that gives its session up by itself soon after D finds it again only when the server is back before that.
pub(super) async fn a_lease_that_outlives_its_deadline_is_not_led_on_at_10_s(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f05-outlived-10s", LONG).await?;
    let rounds = stage.rounds(1, 3);
    let played = outlived(stage, &mut field, rounds).await;
    field.close(stage, played).await
}

/// F5, a lease that outlives D. A server that comes back gives every lease its full time again: also that of a leader whose deadline has passed.
async fn outlived(stage: &mut Stage, field: &mut Field, rounds: u32) -> Outcome {
    let linger = (field.ttl * 3).as_millis().to_string();
    field.join(stage, 2, &["--linger", &linger]).await?;
    let mut leader = field.elected(0, PATIENCE).await?;
    for _ in 0..rounds {
        sleep(stage.span(Duration::ZERO, field.ttl / 3)).await;
        let all = field.others(0);
        let at = field.fault("F5", &all, &[])?;
        stage.stand.kill();
        let lost = field.lost(leader.pid, at, field.deadline() + LOAD).await?;
        stage.stand.restart().await.map_err(told)?;
        let limit = field.ttl + field.failover() + BACKOFF;
        field.heal(limit)?;
        let next = field.elected(lost.ns, limit).await?;
        // As long as the old guard is still held, and a late renewal could come.
        sleep(field.ttl * 2).await;
        field.read()?;
        let led = field.said(leader.pid, Event::Claim, lost.ns, next.ns);
        must(led == 0, || format!("{} said {led} times that it leads, after its loss", leader.pid))?;
        field.dismiss().await?;
        field.join(stage, 2, &["--linger", &linger]).await?;
        leader = field.elected(next.ns + 1, PATIENCE).await?;
    }
    Ok(())
}

/// F6, the link: the proxy takes nothing more from either side while all connections stand. The leader steps down as in F4, and its watch says
/// Stale within H (I4). A stalled proxy stands for one that is stopped: the kernel goes on acknowledging in both.
pub(super) async fn a_half_open_link_shows_as_stale_and_its_leader_steps_down(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f06-link", SHORT).await?;
    let played = half_open(stage, &mut field).await;
    field.close(stage, played).await
}

async fn half_open(stage: &mut Stage, field: &mut Field) -> Outcome {
    field.join(stage, 3, SERVING).await?;
    let (pids, ids) = (field.others(0), instances(field));
    let leader = field.elected(0, PATIENCE).await?;
    field.all_see(&pids, &ids, PATIENCE).await?;
    let at = field.fault("F6", &[leader.pid], &[])?;
    field.rival(leader.pid)?.proxy.set_both(Flow::Stall);
    succeeded(field, &leader, at, Link::Both).await?;
    stale(field, leader.pid, at).await?;
    field.rival(leader.pid)?.proxy.heal().await.map_err(told)?;
    whole_again(field, &pids, &ids).await
}

/// F6, the server: it is stopped (SIGSTOP) while all connections stand. Nobody leads past D, every watch says Stale within H (I4), and after it
/// goes on there is one leader with a larger token.
pub(super) async fn a_paused_server_shows_as_stale_and_nobody_leads(stage: &mut Stage) -> Outcome {
    let mut field = Field::open(stage, "f06-server", SHORT).await?;
    let played = paused(stage, &mut field).await;
    field.close(stage, played).await
}

async fn paused(stage: &mut Stage, field: &mut Field) -> Outcome {
    field.join(stage, 2, SERVING).await?;
    let (pids, ids) = (field.others(0), instances(field));
    let leader = field.elected(0, PATIENCE).await?;
    field.all_see(&pids, &ids, PATIENCE).await?;
    let at = field.fault("F6", &pids, &[])?;
    stage.stand.pause().map_err(told)?;
    let lost = field.lost(leader.pid, at, field.deadline() + LOAD).await;
    let mut noticed = Ok(());
    for pid in &pids {
        noticed = noticed.and(stale(field, *pid, at).await);
    }
    stage.stand.resume().map_err(told)?;
    let (lost, ()) = (lost?, noticed?);
    let limit = field.failover() + BACKOFF;
    let next = field.elected(lost.ns, limit).await?;
    must(next.token > leader.token, || format!("{next} after {leader}"))?;
    whole_again(field, &pids, &ids).await
}

/// The watch of this one says in time that its view may be old.
async fn stale(field: &mut Field, pid: u32, at: u64) -> Outcome {
    let limit = NOTICE.saturating_sub(between(at, reception_lab::history::boot_ns())) + LOAD;
    let said = |line: &Line| line.event == Event::Stale && line.pid == pid;
    field.until(&format!("word of {pid} that its view is stale"), at, limit, said).await.map(drop)
}

/// After the end of a fault in which leases ran out, everything is registered and seen.
async fn whole_again(field: &mut Field, pids: &[u32], ids: &[String]) -> Outcome {
    let limit = field.ttl + BACKOFF + Duration::from_secs(2) + LOAD;
    field.heal(limit)?;
    listed(field, ids, limit).await?;
    field.all_see(pids, ids, limit).await
}

/// The store lists exactly these.
pub(crate) async fn listed(field: &Field, ids: &[String], limit: Duration) -> Outcome {
    let api: ServiceName = "api".parse().map_err(told)?;
    let exact = || async {
        let view = field.client.list(&api).await.map_err(told)?;
        let listed: Vec<_> = view.iter().map(|service| service.id().to_string()).collect();
        must(listed == ids, || format!("{listed:?}"))
    };
    eventually(limit, exact).await.map_err(|late| format!("not listed as wanted, {ids:?}: {late}"))
}

/// What all contenders of a serving field register, in order.
pub(crate) fn instances(field: &Field) -> Vec<String> {
    let of = |id: &String| [format!("{id}-0"), format!("{id}-1")];
    field.rivals.iter().flat_map(|rival| of(&rival.id)).collect()
}
