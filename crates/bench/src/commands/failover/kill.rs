//! The leader is killed.

use std::time::Duration;

use reception::FencingToken;
use reception_lab::{Agent, Proxy, eventually};
use tokio::time::{Instant, sleep, timeout};

use super::{Candidate, STANDING, Waiting, next, one_leader};
use crate::{
    Result,
    args::Args,
    play::Bench,
    raw,
    record::service,
    report::{Line, float, micros},
    room::Room,
};

/// How often etcd looks which leases have run out, and one tick of the ZooKeeper that is started here, which looks as often: a round that
/// waits for an end comes right after such a look.
const LOOK: Duration = Duration::from_millis(500);

/// The leader, a process of its own, is killed (SIGKILL) right after a renewal.
pub(crate) struct Kill;

/// Rounds that each wait for a lease to run out.
pub(crate) fn kills(args: &Args) -> usize {
    args.number("rounds").div_ceil(10)
}

/// Begins the rounds at different parts of the server's period, for both peers at the same ones.
pub(crate) async fn stagger(round: usize, rounds: usize) {
    let part = LOOK.as_secs_f64() * float(round) / float(rounds);
    sleep(Duration::from_secs_f64(part)).await;
}

/// The word that makes this program the leader of [`Kill`]; only that one says it.
pub(crate) const VICTIM: &str = "victim";

/// Starts a process that leads until it is killed.
fn victim(url: &str) -> Result<Agent> {
    Ok(Agent::start(std::env::current_exe()?, [VICTIM, url])?)
}

/// Waits until it leads.
async fn led(by: &Agent, seen: &Candidate) -> Result<FencingToken> {
    let led = eventually(STANDING, || async {
        let leader = seen.elector.leader().await.map_err(|error| error.to_string())?;
        leader.map(|leader| leader.token()).ok_or_else(|| by.logs())
    });
    Ok(led.await.map_err(|late| format!("nobody leads: {late}"))?)
}

/// What that process does.
pub(crate) async fn lead(url: &str) -> Result<()> {
    let candidate = Candidate::new(reception::dial(url).await?).await?;
    let leadership = candidate.elector.elect(service(0)?).await?;
    leadership.lost().await;
    Err("lost before it was killed".into())
}

/// Waits for the next answer to a leader that does nothing but renew its lease.
async fn renewed(proxy: &Proxy, ttl: Duration) -> Result<()> {
    let before = proxy.counts();
    let answered = async {
        while proxy.counts().since(&before).bytes_to_client == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    Ok(timeout(ttl, answered).await.map_err(|_| "the leader does not renew its lease")?)
}

impl Bench for Kill {
    const COUNTS: bool = false;
    const RATIOS: &'static [&'static str] = &["p50_ms", "max_ms"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let (count, rounds, ttl) = (args.number("candidates"), kills(args), args.number("ttl"));
        let (mut times, mut granted) = (Vec::new(), Duration::ZERO);
        for round in 0..rounds {
            stagger(round, rounds).await;
            let proxy = room.way.door().await?;
            let (options, mut waiting) = (room.store().lease(ttl), Waiting::new());
            let observer = Candidate::new(room.dial(room.way.address(), &options).await?).await?;
            let victim = victim(&room.url(proxy.endpoint(), &options))?;
            let token = led(&victim, &observer).await?;
            let mut others = Vec::new();
            for number in 1..count {
                let other = Candidate::new(room.client(&options).await?).await?;
                other.stand(number, &waiting)?;
                observer.all_stand(room, number + 1, &mut waiting).await?;
                // Of one who stands: some stores grant nothing before.
                granted = other.client.probe().await?.lease.unwrap_or_default();
                others.push(other);
            }
            renewed(&proxy, granted).await?;
            let begun = Instant::now();
            victim.kill();
            let (_, next, at) = next(&mut waiting).await?;
            times.push(at - begun);
            one_leader(&next, token, false)?;
            drop((waiting, next));
            for other in others.iter().chain([&observer]) {
                other.client.close().await?;
            }
        }
        Ok(vec![kill_line(room, args, &times, granted)])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::kill(args, room).await
    }
}

pub(crate) fn kill_line(room: &Room<'_>, args: &Args, times: &[Duration], granted: Duration) -> Line {
    room.line("failover_kill")
        .with("candidates", args.number("candidates"))
        .with("rounds", times.len())
        .with("asked_ttl_s", args.number("ttl"))
        .with("granted_ttl_s", granted.as_secs())
        .timed("p50_ms", micros(times, 0.5) / 1e3)
        .timed("max_ms", micros(times, 1.0) / 1e3)
        .timed("mean_ms", times.iter().sum::<Duration>().as_secs_f64() * 1e3 / float(times.len().max(1)))
}
