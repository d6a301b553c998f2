//! One recursive persistent watch that keeps a map of the records: a read for each that is added, none for one that goes.

use std::collections::HashMap;

use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use zookeeper_client::{AddWatchMode, Client, Error, EventType, PersistentWatcher};

use super::read;
use crate::{
    Result,
    args::Args,
    commands::{Sight, drive},
    report::Line,
    room::Room,
};

pub(crate) async fn watch(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let population = room.preload(args.number("count")).await?;
    let (client, folder) = (room.zookeeper().await?, room.prefix());
    let begun = Instant::now();
    let watcher = client.watch(&folder, AddWatchMode::PersistentRecursive).await?;
    let records = read(&client, &folder).await?;
    let start = begun.elapsed();
    let (sender, mut sights) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    tasks.spawn(follow((client, folder), watcher, records, sender));
    let line = drive(args, room, &mut sights).await?;
    drop(population);
    Ok(vec![line.timed("start_seconds", start.as_secs_f64())])
}

async fn follow(
    (client, folder): (Client, String),
    mut watcher: PersistentWatcher,
    mut records: HashMap<String, Vec<u8>>,
    sights: mpsc::Sender<Sight>,
) -> Result<()> {
    loop {
        let event = watcher.changed().await;
        if event.event_type == EventType::Session {
            return Err("the watch ended".into());
        }
        let Some(id) = event.path.strip_prefix(folder.as_str()).and_then(|rest| rest.strip_prefix('/'))
        else {
            continue;
        };
        match event.event_type {
            EventType::NodeDeleted => drop(records.remove(id)),
            _ => match client.get_data(&event.path).await {
                Ok((record, _)) => drop(records.insert(id.to_owned(), record)),
                Err(Error::NoNode) => continue,
                Err(wrong) => return Err(wrong.into()),
            },
        }
        if sights.send(Sight { at: Instant::now(), count: records.len() }).await.is_err() {
            return Ok(());
        }
    }
}
