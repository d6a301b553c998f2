//! One watch at the server for every watcher, all on one stream.

use etcd_client::{WatchOptions, WatchStream};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::next;
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
    let mut client = room.raw().await?;
    let begun = Instant::now();
    let options = || Some(WatchOptions::new().with_prefix());
    let mut stream = client.watch(room.prefix(), options()).await?;
    for _ in 1..watchers {
        stream.watch(room.prefix(), options()).await?;
    }
    // The first was told of when the stream was opened.
    let mut open = 1;
    while open < watchers {
        open += usize::from(next(&mut stream).await?.created());
    }
    let setup = begun.elapsed();
    let (sender, sights) = mpsc::channel(watchers);
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(stream, (count, watchers), sender));
    let line = spread(args, room, &mut Writer::new(room).await?, sights).await?;
    drop(population);
    Ok(vec![line.timed("setup_seconds", setup.as_secs_f64())])
}

/// Every change comes once for each watch.
async fn follow(mut stream: WatchStream, (count, watchers): (usize, usize), sights: mpsc::Sender<Sight>) {
    let mut told = 0;
    while let Ok(message) = next(&mut stream).await {
        for _ in message.events() {
            let sight = Sight { at: Instant::now(), count: count + told / watchers + 1 };
            told += 1;
            if sights.send(sight).await.is_err() {
                return;
            }
        }
    }
}
