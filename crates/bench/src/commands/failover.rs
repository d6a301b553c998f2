//! How fast the next candidate leads.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use reception::{Client, ClientExt, ElectionName, Elector, Leadership};
use reception_lab::{Proxy, eventually};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Result,
    args::Args,
    play::Bench,
    raw,
    record::service,
    report::{Line, float, micros, per},
    room::Room,
    store::Store,
};

/// How long candidates may take to stand.
const STANDING: Duration = Duration::from_secs(20);
/// While counting, no renewal falls between.
const LONG: usize = 60;
/// How often etcd looks which leases have run out, and one tick of the ZooKeeper that is started here, which looks as often: a round that
/// waits for an end comes right after such a look.
const LOOK: Duration = Duration::from_millis(500);
/// Rounds that say enough when counted, each of them waiting for silence.
const COUNTED: usize = 5;

type Won = (usize, reception::Result<Leadership>, Instant);
type Waiting = FuturesUnordered<Pin<Box<dyn Future<Output = Won> + Send>>>;

/// One who stands, a client of its own.
struct Candidate {
    client: Arc<dyn Client>,
    elector: Arc<dyn Elector>,
}

fn election() -> Result<ElectionName> {
    Ok("election".parse()?)
}

impl Candidate {
    async fn new(client: Arc<dyn Client>) -> Result<Self> {
        let elector = client.elector(&election()?).await?.into();
        Ok(Self { client, elector })
    }

    /// Stands; the future tells when it leads.
    fn stand(&self, number: usize, waiting: &Waiting) -> Result<()> {
        let (elector, service) = (Arc::clone(&self.elector), service(number)?);
        waiting.push(Box::pin(async move {
            let won = elector.elect(service).await;
            (number, won, Instant::now())
        }));
        Ok(())
    }

    /// Waits until so many stand, while those of `waiting` do.
    async fn all_stand(&self, room: &Room<'_>, count: usize, waiting: &mut Waiting) -> Result<()> {
        let standing = eventually(STANDING, || async {
            let standing = match room.store() {
                Store::Consul => room.sessions().await.unwrap_or_default(),
                _ => self.elector.candidates().await.map_or(0, |candidates| candidates.len()),
            };
            if standing == count { Ok(()) } else { Err(standing) }
        });
        tokio::select! {
            stand = standing => Ok(stand.map_err(|late| format!("of {count} candidates: {late}"))?),
            early = next(waiting) => Err(format!("candidate {} leads beside another", early?.0).into()),
        }
    }
}

/// The next winner; never, when nobody waits.
async fn next(waiting: &mut Waiting) -> Result<(usize, Leadership, Instant)> {
    match waiting.next().await {
        Some((number, won, at)) => Ok((number, won?, at)),
        None => std::future::pending().await,
    }
}

/// The leader resigns.
pub(crate) struct Resign;

impl Bench for Resign {
    const RATIOS: &'static [&'static str] = &["verified_p50_us", "verified_p99_us", "requests"];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let (count, rounds) = (args.number("candidates"), rounds(args, room));
        let mut candidates = Vec::new();
        for _ in 0..count {
            candidates.push(Candidate::new(room.client(&room.store().lease(LONG)).await?).await?);
        }
        let observer = Candidate::new(room.direct().await?).await?;
        let mut waiting = Waiting::new();
        candidates[0].stand(0, &waiting)?;
        let (mut leader, mut leadership, _) = next(&mut waiting).await?;
        for (number, candidate) in candidates.iter().enumerate().skip(1) {
            candidate.stand(number, &waiting)?;
            observer.all_stand(room, number + 1, &mut waiting).await?;
        }
        let (mut times, mut requests, mut after) = (Vec::new(), 0, 0);
        for _ in 0..rounds {
            let before = room.way.quiet().await;
            let (token, tenure) = (leadership.token(), leadership.tenure());
            let begun = Instant::now();
            let (resigned, won) = tokio::join!(leadership.resign(), next(&mut waiting));
            requests += room.way.since(&before).requests;
            resigned?;
            let (number, next, at) = won?;
            times.push(at - begun);
            one_leader(&next, token, tenure.is_held())?;
            room.way.quiet().await;
            after += room.way.since(&before).requests;
            candidates[leader].stand(leader, &waiting)?;
            (leader, leadership) = (number, next);
            observer.all_stand(room, count, &mut waiting).await?;
        }
        drop((waiting, leadership));
        for candidate in candidates.iter().chain([&observer]) {
            candidate.client.close().await?;
        }
        Ok(vec![
            room.line("failover_resign")
                .with("candidates", count)
                .with("rounds", rounds)
                .timed("verified_p50_us", micros(&times, 0.5))
                .timed("verified_p99_us", micros(&times, 0.99))
                .counted("requests", per(requests, rounds))
                .counted("requests_settled", per(after, rounds)),
        ])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::resign(args, room).await
    }
}

/// Changes of the leader, a few where each is counted.
pub(crate) fn rounds(args: &Args, room: &Room<'_>) -> usize {
    let rounds = args.number("rounds");
    if room.is_counting() { rounds.min(COUNTED) } else { rounds }
}

/// The old leader knows that it is none before there is another, whose token is larger.
fn one_leader(next: &Leadership, old: reception::FencingToken, old_held: bool) -> Result<()> {
    if old_held {
        return Err("two leaders at once".into());
    }
    if next.is_held() && next.token() > old {
        return Ok(());
    }
    Err(format!("the next leader has the token {} after {old}", next.token()).into())
}

/// The leader's connections break for good right after a renewal, which is what a server sees of a process that was killed.
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
            let victim = Candidate::new(room.dial(proxy.endpoint(), &options).await?).await?;
            victim.stand(0, &waiting)?;
            let (_, leadership, _) = next(&mut waiting).await?;
            granted = victim.client.probe().await?.lease.unwrap_or_default();
            let mut others = Vec::new();
            for number in 1..count {
                let other = Candidate::new(room.client(&options).await?).await?;
                other.stand(number, &waiting)?;
                other.all_stand(room, number + 1, &mut waiting).await?;
                others.push(other);
            }
            renewed(&proxy, granted).await?;
            let begun = Instant::now();
            proxy.cut().await?;
            let (_, next, at) = next(&mut waiting).await?;
            times.push(at - begun);
            one_leader(&next, leadership.token(), leadership.is_held())?;
            drop((waiting, next, leadership));
            for other in others {
                other.client.close().await?;
            }
            // It cannot say goodbye, and its lease is gone by now.
            drop(victim.client.close().await);
        }
        Ok(vec![kill_line(room, args, &times, granted)])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::kill(args, room).await
    }
}

/// What the driver alone takes from a resignation to the word of it, and to knowing that it leads.
pub(crate) fn resign_line(
    room: &Room<'_>,
    candidates: usize,
    (events, verified): (&[Duration], &[Duration]),
    requests: u64,
) -> Line {
    room.line("failover_resign")
        .with("candidates", candidates)
        .with("rounds", events.len())
        .timed("event_p50_us", micros(events, 0.5))
        .timed("event_p99_us", micros(events, 0.99))
        .timed("verified_p50_us", micros(verified, 0.5))
        .timed("verified_p99_us", micros(verified, 0.99))
        .counted("requests", per(requests, events.len()))
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
