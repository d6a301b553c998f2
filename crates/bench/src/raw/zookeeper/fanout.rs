//! A watcher of the driver for each watcher, all in one session: the server tells once, the driver hands it out, and nobody reads.

use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use zookeeper_client::{AddWatchMode, EventType, PersistentWatcher};

use crate::{
    Result,
    args::Args,
    commands::{Sight, spread},
    report::Line,
    room::{Room, Writer},
};

pub(crate) async fn fanout(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (count, watchers) = (args.number("count"), args.number("watchers"));
    let population = room.preload(count).await?;
    let client = room.zookeeper().await?;
    let begun = Instant::now();
    let (sender, sights) = mpsc::channel(watchers);
    let mut tasks = JoinSet::new();
    for _ in 0..watchers {
        let watcher = client.watch(&room.prefix(), AddWatchMode::PersistentRecursive).await?;
        tasks.spawn(follow(watcher, count, sender.clone()));
    }
    let setup = begun.elapsed();
    let line = spread(args, room, &mut Writer::new(room).await?, sights).await?;
    drop((tasks, population));
    Ok(vec![line.timed("setup_seconds", setup.as_secs_f64())])
}

async fn follow(mut watcher: PersistentWatcher, mut count: usize, sights: mpsc::Sender<Sight>) {
    while watcher.changed().await.event_type == EventType::NodeCreated {
        count += 1;
        if sights.send(Sight { at: Instant::now(), count }).await.is_err() {
            return;
        }
    }
}
