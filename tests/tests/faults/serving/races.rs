//! F26: ends that race with beginnings.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reception::{Client, ClientExt as _, Leadership, Registration, RegistrationState};
use reception_lab::{Proxy, eventually};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::cast::{PATIENCE, api, dial, hold, instance, tasks, text, told};
use crate::{scenario::Outcome, stage::Stage};

/// Long, so that nothing is gone by itself before it is looked for.
const LONG: Duration = Duration::from_secs(60);
/// V, where the end may not reach the store.
const SHORT: Duration = Duration::from_secs(4);
const LANES: u32 = 4;
const GUARDS: u32 = 3;
/// Everything begins and ends at some moment of this span, or of the stand's, which leaves a busy machine the time to get somewhere.
const SPAN: Duration = Duration::from_millis(50);

/// F26, closed. A client is closed at a random moment of 0 to 50 ms, or of 0 to 400 ms (longer where the stand says so) over a connection that stands, after registrations,
/// updates, closes and an election began; some of these are dropped at a random moment as well. A quarter of the registrations, and a
/// leadership in a quarter of the rounds, must have come to be. 52 rounds (500 in full). The close is Ok; then no record is left, every guard has ended
/// (I9), and 1 s after the last close there is no lease of a minute's life, no connection and no task of a client (I6).
pub(super) async fn a_close_that_races_with_everything_leaves_nothing(stage: &mut Stage) -> Outcome {
    let before = tasks();
    let proxies = race(stage, "closed", true).await?;
    clean(stage, "closed", proxies, before, Duration::from_secs(1)).await
}

/// F26, dropped. As above, with a reset of the connections in between, and everything is dropped instead of closed in half of the 52
/// rounds (500 in full). A close may then end with an error. The proxies live on until everything is looked for, so a client that still
/// has work can go on with it: a withdrawal that finds no way to the store is F27. V after the last end there is no record, no lease, no connection and no
/// task (I5, I6).
pub(super) async fn drops_and_resets_that_race_with_everything_leave_nothing_after_the_lease(
    stage: &mut Stage,
) -> Outcome {
    let before = tasks();
    let proxies = race(stage, "dropped", false).await?;
    let bound = stage.stand.granted(SHORT) + stage.stand.expiry_slack() + Duration::from_secs(1);
    clean(stage, "dropped", proxies, before, bound).await
}

async fn clean(
    stage: &Stage,
    namespace: &str,
    proxies: Vec<Proxy>,
    before: usize,
    bound: Duration,
) -> Outcome {
    let begun = Instant::now();
    let nothing = || async {
        let mut left = stage.stand.residue(namespace).await.map_err(text)?;
        left.retain(|what| !what.ends_with("/domain"));
        let open: u64 = proxies.iter().map(|proxy| proxy.counts().open_connections).sum();
        if left.is_empty() && open == 0 { Ok(()) } else { Err(format!("{left:?}, {open} connections")) }
    };
    let late = |late| format!("left after {bound:?} (I5, I6): {late}");
    eventually(bound, nothing).await.map_err(|error| late(error.to_string()))?;
    drop(proxies);
    let idle = || async { if tasks() <= before { Ok(()) } else { Err(format!("{} tasks", tasks())) } };
    // The proxies' own tasks end a moment after them.
    let rest = bound.saturating_sub(begun.elapsed()).max(Duration::from_millis(500));
    eventually(rest, idle).await.map_err(|error| late(error.to_string()))
}

/// What came to be in a race.
#[derive(Debug, Default)]
struct Came {
    registrations: AtomicU32,
    leaderships: AtomicU32,
}

impl Came {
    /// Says so when nearly everything failed at once: then nothing raced.
    fn enough(&self, rounds: u32) -> Outcome {
        let [registrations, leaderships] =
            [&self.registrations, &self.leaderships].map(|count| count.load(Ordering::Relaxed));
        hold(registrations >= rounds * GUARDS / 4 && leaderships >= rounds / 4, || {
            format!(
                "{registrations} registrations and {leaderships} leaderships came to be in {rounds} rounds"
            )
        })
    }
}

async fn race(stage: &mut Stage, namespace: &str, orderly: bool) -> Result<Vec<Proxy>, String> {
    let rounds = stage.rounds(52, 500) / LANES;
    let mut lanes = Vec::new();
    for lane in 0..LANES {
        lanes.push((lane, stage.proxy().await, StdRng::seed_from_u64(stage.dice.random())));
    }
    let stage = &*stage;
    let came = Arc::new(Came::default());
    let in_lanes = &came;
    let lanes = lanes.into_iter().map(|(lane, proxy, mut dice)| async move {
        for round in 0..rounds {
            let namespace = format!("{namespace}/n{lane}x{round}");
            one(stage, &namespace, &proxy, orderly, &mut dice, in_lanes)
                .await
                .map_err(|wrong| format!("lane {lane}, round {round}: {wrong}"))?;
        }
        Ok::<_, String>(proxy)
    });
    let proxies = try_join_all(lanes).await?;
    came.enough(rounds * LANES)?;
    Ok(proxies)
}

/// What a guard's task holds at its end.
type Held = (Option<Registration>, Option<Leadership>);

async fn one(
    stage: &Stage,
    namespace: &str,
    proxy: &Proxy,
    orderly: bool,
    dice: &mut StdRng,
    came: &Arc<Came>,
) -> Outcome {
    let ttl = if orderly { LONG } else { SHORT };
    stage.stand.prepare(namespace, "reaper").await.map_err(text)?;
    let client = dial(&stage.through(proxy.endpoint(), namespace, ttl)).await?;
    let wide = dice.random();
    let span = if wide { stage.stand.race() } else { SPAN };
    if wide {
        // With a connection, there is more to race with than the first steps of one.
        client.list(&api()).await.map_err(text)?;
    }
    let mut work: JoinSet<Held> = JoinSet::new();
    for number in 0..GUARDS {
        let dice = StdRng::seed_from_u64(dice.random());
        work.spawn(register(Arc::clone(&client), format!("i{number}"), dice, span, Arc::clone(came)));
    }
    work.spawn(elect(Arc::clone(&client), StdRng::seed_from_u64(dice.random()), span, Arc::clone(came)));
    let (end, reset) = (some(dice, span), some(dice, span));
    let close = orderly || dice.random();
    let ending = async {
        sleep(end).await;
        if !close {
            return Ok(());
        }
        let answer =
            timeout(PATIENCE, client.close()).await.map_err(|_| "a close did not answer".to_owned())?;
        let answer = answer.map_err(|error| format!("a close failed: {error}"));
        if orderly { answer } else { Ok(()) }
    };
    let resetting = async {
        sleep(reset).await;
        if orderly { Ok(()) } else { proxy.reset().await.map_err(text) }
    };
    tokio::try_join!(ending, resetting)?;
    if !close {
        // The tasks are dropped at whatever they are at, with what they hold.
        drop(work);
        return Ok(());
    }
    if orderly {
        let mut left = stage.stand.residue(namespace).await.map_err(text)?;
        left.retain(|what| !what.starts_with("lease "));
        hold(left.is_empty(), || format!("left after a close that was Ok (I6): {left:?}"))?;
    }
    let held = timeout(PATIENCE, work.join_all()).await;
    let held = held.map_err(|_| "a call did not end with its client (law L13)".to_owned())?;
    for (registration, leadership) in held {
        let stands = registration.is_some_and(|held| !matches!(held.state(), RegistrationState::Ended(_)));
        let leads = leadership.is_some_and(|held| held.is_held());
        hold(!stands && !leads, || "a guard outlived its client (I9)".to_owned())?;
    }
    Ok(())
}

fn some(dice: &mut StdRng, span: Duration) -> Duration {
    dice.random_range(Duration::ZERO..=span)
}

/// Registers, perhaps updates, perhaps closes or drops; each cut short at some moment.
async fn register(
    client: Arc<dyn Client>,
    id: String,
    mut dice: StdRng,
    span: Duration,
    came: Arc<Came>,
) -> Held {
    let cut = if dice.random_bool(0.3) { some(&mut dice, span) } else { PATIENCE };
    let Ok(Ok(registration)) = timeout(cut, client.register(instance(&id))).await else {
        return (None, None);
    };
    came.registrations.fetch_add(1, Ordering::Relaxed);
    if dice.random() {
        drop(timeout(some(&mut dice, span), registration.update(told(&id, 1))).await);
    }
    sleep(some(&mut dice, span)).await;
    match dice.random_range(0..3) {
        0 => drop(timeout(some(&mut dice, span), registration.close()).await),
        1 => drop(registration),
        _ => return (Some(registration), None),
    }
    (None, None)
}

/// Stands for election twice at least, each time cut short at some moment.
async fn elect(client: Arc<dyn Client>, mut dice: StdRng, span: Duration, came: Arc<Came>) -> Held {
    let Ok(elector) = client.elector(&"reaper".parse().expect("a name")).await else { return (None, None) };
    for id in ["i0", "i1", "i2"] {
        let elected = timeout(some(&mut dice, span), elector.elect(instance(id))).await;
        let Ok(Ok(leadership)) = elected else { continue };
        came.leaderships.fetch_add(1, Ordering::Relaxed);
        if dice.random() {
            return (None, Some(leadership));
        }
    }
    (None, None)
}
