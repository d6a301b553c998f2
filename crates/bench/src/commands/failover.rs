//! How fast the next candidate leads.

mod kill;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use reception::{Client, ClientExt, ElectionName, Elector, FencingToken, Leadership};
use reception_lab::eventually;
use tokio::time::Instant;

use crate::{
    Result,
    args::Args,
    play::Bench,
    raw,
    record::service,
    report::{Line, micros, per},
    room::Room,
    store::Store,
};

pub(crate) use kill::{Kill, VICTIM, kill_line, kills, lead, stagger};

/// How long candidates may take to stand.
const STANDING: Duration = Duration::from_secs(20);
/// While counting, no renewal falls between.
const LONG: usize = 60;
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
fn one_leader(next: &Leadership, old: FencingToken, old_held: bool) -> Result<()> {
    if old_held {
        return Err("two leaders at once".into());
    }
    if next.is_held() && next.token() > old {
        return Ok(());
    }
    Err(format!("the next leader has the token {} after {old}", next.token()).into())
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
