//! A watch that keeps a map of the records.

use std::collections::HashMap;

use etcd_client::{EventType, GetOptions, WatchOptions, WatchStream};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::next;
use crate::{
    Result,
    args::Args,
    commands::{Sight, drive},
    report::Line,
    room::Room,
};

type Records = HashMap<Vec<u8>, Vec<u8>>;

pub(crate) async fn watch(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let population = room.preload(args.number("count")).await?;
    let mut client = room.raw().await?;
    client.get("nothing", None).await?;
    let begun = Instant::now();
    let (records, revision) = read(&mut client, &room.prefix()).await?;
    // A watcher of ours has its first view by then, too, and opens the watch after that.
    let start = begun.elapsed();
    let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
    let stream = client.watch(room.prefix(), Some(options)).await?;
    let (sender, mut sights) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(stream, records, sender));
    let line = drive(args, room, &mut sights).await?;
    drop(population);
    Ok(vec![line.timed("start_seconds", start.as_secs_f64())])
}

/// All records under a prefix, and the revision that they are of.
pub(crate) async fn read(client: &mut etcd_client::Client, prefix: &str) -> Result<(Records, i64)> {
    let mut answer = client.get(prefix, Some(GetOptions::new().with_prefix())).await?;
    let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
    let records = answer.take_kvs().into_iter().map(etcd_client::KeyValue::into_key_value).collect();
    Ok((records, revision))
}

async fn follow(mut stream: WatchStream, mut records: Records, sights: mpsc::Sender<Sight>) -> Result<()> {
    loop {
        let message = next(&mut stream).await?;
        for event in message.events() {
            let Some(kv) = event.kv() else { continue };
            match event.event_type() {
                EventType::Put => drop(records.insert(kv.key().to_vec(), kv.value().to_vec())),
                EventType::Delete => drop(records.remove(kv.key())),
            }
        }
        let news = !message.events().is_empty();
        if news && sights.send(Sight { at: Instant::now(), count: records.len() }).await.is_err() {
            return Ok(());
        }
    }
}
