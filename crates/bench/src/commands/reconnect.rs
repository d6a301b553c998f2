//! What a broken connection costs: requests, and what a watcher is told.

use std::time::Duration;

use futures_util::StreamExt;
use reception::{Change, ClientExt, Registration, RegistrationState, Watcher};
use reception_lab::eventually;
use tokio::time::{Instant, timeout};

use super::{register::register_all, watch::first};
use crate::{
    Result,
    args::Args,
    play::Bench,
    record::{name, services},
    report::Line,
    room::{Room, Writer, same},
};

pub(crate) struct Reconnect;

const BOUND: Duration = Duration::from_secs(30);
/// The first tries to open streams again are spread over a second; what follows from a break has come by then.
const AFTER: Duration = Duration::from_secs(2);

/// What the watcher was told.
#[derive(Clone, Copy, Debug)]
struct Told {
    stale: usize,
    resets: usize,
    /// Instances that were said to be new, changed or gone.
    changed: usize,
    /// The fewest instances of a view.
    least: usize,
}

impl Bench for Reconnect {
    const COUNTS: bool = false;
    const RATIOS: &'static [&'static str] = &[];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let count = args.number("count");
        let proxy = room.way.door().await?;
        // No renewal falls between.
        let client = room.dial(proxy.endpoint(), "?ttl=60s").await?;
        let (guards, _) = register_all(&client, services(count)?, 64).await?;
        let mut watcher = client.watch(&name()?).await?;
        first(&mut *watcher).await?;
        let mut told = Told { stale: 0, resets: 0, changed: 0, least: count };
        // Whatever the registrations still cause, a watch of each on its own record among it.
        drop(timeout(AFTER, follow(&mut *watcher, &mut told, usize::MAX)).await);
        (told.changed, told.resets) = (0, 0);

        let mut writer = Writer::new(room).await?;
        let before = proxy.counts();
        let begun = Instant::now();
        let breaking = async {
            proxy.reset().await?;
            writer.add(room, 0).await
        };
        let (broken, resumed) = tokio::join!(breaking, follow(&mut *watcher, &mut told, count + 1));
        broken?;
        let resumed = resumed? - begun;
        eventually(BOUND, || async { all_active(&guards) }).await?;
        drop(timeout(AFTER, follow(&mut *watcher, &mut told, usize::MAX)).await);
        let counts = proxy.counts().since(&before);
        let passed = room.way.passed(&counts);
        same(room, watcher.current().ok_or("no view")?).await?;
        writer.remove(room, 0).await?;
        client.close().await?;
        Ok(vec![
            room.line("reconnect")
                .with("count", count)
                .with("requests", passed.requests)
                .with("calls", passed.calls)
                .with("bytes_in", passed.bytes_in)
                .with("connections", counts.connections)
                // The one that was written after the break is no event of the break.
                .with("events", told.changed.saturating_sub(1))
                .with("vanished", count.saturating_sub(told.least))
                .with("stale", told.stale)
                .with("resets", told.resets)
                .timed("seconds", resumed.as_secs_f64()),
        ])
    }

    async fn raw(_: &Args, _: &Room<'_>) -> Result<Vec<Line>> {
        Err("a broken connection has no floor".into())
    }
}

/// Notes what the watcher is told until a view has so many instances.
async fn follow(watcher: &mut dyn Watcher, told: &mut Told, until: usize) -> Result<Instant> {
    let mut view = watcher.current().cloned().ok_or("no view")?;
    loop {
        match watcher.next().await.ok_or("the watch ended")?? {
            Change::Stale(_) => told.stale += 1,
            Change::Reset(next) => {
                told.resets += 1;
                let difference = view.diff(&next);
                told.changed += difference.upserted().len() + difference.removed().len();
            }
            Change::Patch(patch) => told.changed += patch.upserted().len() + patch.removed().len(),
            other => return Err(format!("not known here: {other:?}").into()),
        }
        view = watcher.current().cloned().ok_or("no view")?;
        told.least = told.least.min(view.len());
        if view.len() >= until {
            return Ok(Instant::now());
        }
    }
}

fn all_active(guards: &[Registration]) -> Result<(), String> {
    let active = |guard: &&Registration| matches!(guard.state(), RegistrationState::Active);
    match guards.iter().find(|guard| !active(guard)) {
        None => Ok(()),
        Some(guard) => Err(format!("{:?}", guard.state())),
    }
}
