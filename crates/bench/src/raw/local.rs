//! The plainest views: a map of owned records, and a flat list that is built anew for every change.

use std::{collections::HashMap, sync::Arc};

use etcd_client::WatchOptions;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};
use zookeeper_client::AddWatchMode;

use super::{etcd, zookeeper};
use crate::{
    Result,
    args::Args,
    commands::{memory_line, publish_line},
    heap::{Held, held},
    record::{EXTRA, SERVICE, id, record},
    report::Line,
    room::Room,
    store::Store,
};

/// An instance as the plainest client keeps it.
#[expect(dead_code, reason = "it is made to be held, not to be read")]
struct Owned {
    name: String,
    id: String,
    address: String,
    port: u16,
    attributes: Vec<(String, String)>,
}

/// The map alone, and on a server one that was read from there, with a watch that is open.
pub(crate) async fn memory(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let count = args.number("count");
    let before = held()?;
    let map: HashMap<String, Owned> = (0..count).map(|number| (id(number), owned(number))).collect();
    let mut lines = vec![memory_line(room, "view", map.len(), &before, &held()?)];
    drop(map);
    if !args.is_local() {
        lines.push(watched(count, room).await?);
    }
    Ok(lines)
}

async fn watched(count: usize, room: &Room<'_>) -> Result<Line> {
    let population = room.preload(count).await?;
    let line = match room.store() {
        Store::ZooKeeper => watched_in_zookeeper(count, room).await?,
        Store::Etcd | Store::Memory => watched_in_etcd(count, room).await?,
        Store::Consul => return Err(super::NO_FLOOR.into()),
    };
    drop(population);
    Ok(line)
}

async fn watched_in_etcd(count: usize, room: &Room<'_>) -> Result<Line> {
    let mut client = room.raw().await?;
    client.get("nothing", None).await?;
    let before = held()?;
    let (records, revision) = etcd::read(&mut client, &room.prefix()).await?;
    let map = parsed_all(
        records.into_iter().map(|(key, value)| (String::from_utf8_lossy(&key).into_owned(), value)),
    )?;
    let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
    let _watch = client.watch(room.prefix(), Some(options)).await?;
    told(count, room, &before, map)
}

async fn watched_in_zookeeper(count: usize, room: &Room<'_>) -> Result<Line> {
    let client = room.zookeeper().await?;
    client.check_stat("/").await?;
    let before = held()?;
    let _watch = client.watch(&room.prefix(), AddWatchMode::PersistentRecursive).await?;
    let map = parsed_all(zookeeper::read(&client, &room.prefix()).await?)?;
    told(count, room, &before, map)
}

fn told(count: usize, room: &Room<'_>, before: &Held, map: HashMap<String, Owned>) -> Result<Line> {
    let after = held()?;
    if map.len() != count {
        return Err(format!("{} records of {count}", map.len()).into());
    }
    drop(map);
    Ok(memory_line(room, "watch", count, before, &after))
}

fn parsed_all(records: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<HashMap<String, Owned>> {
    let parsed = records.into_iter().map(|(key, value)| {
        parsed(&key, &value).ok_or_else(|| "a record that is not of the usual form".into())
    });
    parsed.collect()
}

fn parsed(key: &str, value: &[u8]) -> Option<(String, Owned)> {
    let id = key.rsplit('/').next()?.to_owned();
    let record: Value = serde_json::from_slice(value).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    // Ours, or Curator's, which tells the class of the map in the map.
    let fields = record["attributes"].as_object().or_else(|| record["payload"].as_object())?;
    // Room for as many as there are: collecting options would make it for four.
    let mut attributes = Vec::with_capacity(fields.len());
    for (key, value) in fields.iter().filter(|(key, _)| *key != "@class") {
        attributes.push((key.clone(), text(value)?));
    }
    let owned = Owned {
        name: SERVICE.to_owned(),
        id: id.clone(),
        address: text(&record["address"])?,
        port: record["port"].as_u64()?.try_into().ok()?,
        attributes,
    };
    Some((id, owned))
}

fn owned(number: usize) -> Owned {
    Owned {
        name: SERVICE.to_owned(),
        id: id(number),
        address: format!("10.{}.{}.{}", (number >> 16) & 255, (number >> 8) & 255, number & 255),
        port: 8080,
        attributes: vec![("zone".to_owned(), "a".to_owned())],
    }
}

pub(crate) fn publish(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (count, changes) = (args.number("count"), args.number("changes"));
    let list: Arc<[Arc<Vec<u8>>]> = (0..count).map(|number| Arc::new(record(number))).collect();
    let place = watch::Sender::new(list);
    let mut times = Vec::new();
    for change in 0..changes {
        let extra = Arc::new(record(EXTRA + change));
        let begun = Instant::now();
        let next: Arc<[_]> = {
            let list = place.borrow();
            match change % 2 {
                0 => list.iter().cloned().chain([extra]).collect(),
                _ => list[..count].iter().cloned().collect(),
            }
        };
        place.send_replace(next);
        times.push(begun.elapsed());
    }
    Ok(vec![publish_line(room, "apply", count, changes, &times)])
}
