//! How fast a change reaches a watcher.

use futures_util::StreamExt;
use reception::{Change, ClientExt, Snapshot, Watcher};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};

use crate::{
    Result,
    args::Args,
    cpu::cpu,
    play::Bench,
    raw,
    record::name,
    report::{Line, float, micros, per},
    room::{Room, Writer, same},
};

pub(crate) struct Watch;

/// A watcher sees so many instances from this moment on.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) at: Instant,
    pub(crate) count: usize,
}

impl Bench for Watch {
    const RATIOS: &'static [&'static str] = &[
        "prop_p50_us",
        "prop_p99_us",
        "start_seconds",
        "process_cpu_us_per_change",
        "watcher_bytes_in_per_change",
    ];

    async fn reception(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        let population = room.preload(args.number("count")).await?;
        let client = room.client("").await?;
        // Connects: a client does so when it is first used.
        client.list(&"nobody".parse()?).await?;
        let begun = Instant::now();
        let mut watcher = client.watch(&name()?).await?;
        first(&mut *watcher).await?;
        let start = begun.elapsed();
        let (sender, mut sights) = mpsc::channel(64);
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(watcher, sender, stopped));
        let line = drive(args, room, &mut sights).await?.timed("start_seconds", start.as_secs_f64());
        drop(stop);
        let view = tasks.join_next().await.ok_or("the watcher is gone")???;
        same(room, &view).await?;
        client.close().await?;
        drop(population);
        Ok(vec![line])
    }

    async fn raw(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
        raw::watch(args, room).await
    }
}

/// Waits for the first view.
pub(crate) async fn first(watcher: &mut dyn Watcher) -> Result<Snapshot> {
    loop {
        match watcher.next().await {
            Some(Ok(Change::Reset(view))) => return Ok(view),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err("the watch ended".into()),
        }
    }
}

/// Tells of every view; the last one when it is stopped.
async fn follow(
    mut watcher: Box<dyn Watcher>,
    sights: mpsc::Sender<Sight>,
    mut stopped: oneshot::Receiver<()>,
) -> Result<Snapshot> {
    loop {
        let item = tokio::select! {
            biased;
            item = watcher.next() => item,
            _ = &mut stopped => return Ok(watcher.current().cloned().ok_or("no view")?),
        };
        match item {
            Some(Ok(Change::Stale(error)) | Err(error)) => return Err(error.into()),
            Some(Ok(_)) => {
                let count = watcher.current().map_or(0, Snapshot::len);
                if sights.send(Sight { at: Instant::now(), count }).await.is_err() {
                    return Err("nobody measures any more".into());
                }
            }
            None => return Err("the watch ended".into()),
        }
    }
}

/// Adds and removes an instance again and again, each time waiting until the watcher has seen it.
pub(crate) async fn drive(args: &Args, room: &Room<'_>, sights: &mut mpsc::Receiver<Sight>) -> Result<Line> {
    let (count, changes, warmup) = (args.number("count"), args.number("changes"), args.number("warmup"));
    let mut writer = Writer::new(room).await?;
    let (mut seen, mut called) = (Vec::new(), Vec::new());
    let (mut begun, mut busy, mut before) = (Instant::now(), cpu(), room.way.counts());
    for change in 0..warmup + changes {
        if change == warmup {
            before = room.way.quiet().await;
            (begun, busy) = (Instant::now(), cpu());
        }
        let (add, number) = (change % 2 == 0, change / 2 % 1000);
        let asked = Instant::now();
        if add {
            writer.add(room, number).await?;
        } else {
            writer.remove(room, number).await?;
        }
        let answered = Instant::now();
        let sight = sights.recv().await.ok_or("the watcher ended")?;
        if sight.count != count + usize::from(add) {
            return Err(format!("the watcher sees {} instances of {count}", sight.count).into());
        }
        if change >= warmup {
            seen.push(sight.at - asked);
            called.push(answered - asked);
        }
    }
    let (total, busy) = (begun.elapsed(), cpu().saturating_sub(busy));
    room.way.quiet().await;
    let passed = room.way.since(&before);
    let each = float(changes);
    Ok(room
        .line("watch")
        .mode("delta")
        .with("count", count)
        .with("changes", changes)
        .timed("prop_p50_us", micros(&seen, 0.5))
        .timed("prop_p99_us", micros(&seen, 0.99))
        .timed("call_p50_us", micros(&called, 0.5))
        .timed("call_p99_us", micros(&called, 0.99))
        .timed("total_seconds", total.as_secs_f64())
        .timed("process_cpu_us_per_change", busy.as_secs_f64() * 1e6 / each)
        .counted("watcher_requests_per_change", per(passed.requests, changes))
        .counted("watcher_bytes_out_per_change", per(passed.bytes_out, changes))
        .counted("watcher_bytes_in_per_change", per(passed.bytes_in, changes)))
}
