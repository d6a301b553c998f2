//! The plainest views: a map of owned records, and a flat list that is built anew for every change.

use std::{collections::HashMap, sync::Arc};

use etcd_client::WatchOptions;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::watch::read;
use crate::{
    Result,
    args::Args,
    commands::{memory_line, publish_line},
    heap::held,
    record::{EXTRA, SERVICE, id, record},
    report::Line,
    room::Room,
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
    let mut client = room.raw().await?;
    client.get("nothing", None).await?;
    let before = held()?;
    let (records, revision) = read(&mut client, &room.prefix()).await?;
    let map: HashMap<String, Owned> = records
        .into_iter()
        .map(|(key, value)| parsed(&key, &value).ok_or("a record that is not of the usual form"))
        .collect::<std::result::Result<_, _>>()?;
    let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
    let watch = client.watch(room.prefix(), Some(options)).await?;
    let after = held()?;
    if map.len() != count {
        return Err(format!("{} records of {count}", map.len()).into());
    }
    drop((watch, map, population));
    Ok(memory_line(room, "watch", count, &before, &after))
}

fn parsed(key: &[u8], value: &[u8]) -> Option<(String, Owned)> {
    let id = std::str::from_utf8(key).ok()?.rsplit('/').next()?.to_owned();
    let record: Value = serde_json::from_slice(value).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let fields = record["attributes"].as_object()?;
    // Room for as many as there are: collecting options would make it for four.
    let mut attributes = Vec::with_capacity(fields.len());
    for (key, value) in fields {
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
