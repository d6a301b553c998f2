//! What needs no server: a map of owned records, and a flat list that is built anew for every change.

use std::{collections::HashMap, sync::Arc};

use tokio::{sync::watch, time::Instant};

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

pub(crate) fn memory(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let count = args.number("count");
    let mut lines = Vec::new();
    for mode in ["view", "watch"] {
        let before = held()?;
        let mut map = HashMap::new();
        for number in 0..count {
            map.insert(id(number), owned(number));
        }
        let after = held()?;
        lines.push(memory_line(room, mode, map.len(), &before, &after));
    }
    Ok(lines)
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
