//! The names, then the records, 500 in a request, all requests at once, into a map.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use tokio::time::Instant;
use zookeeper_client::{Client, MultiReadResult};

use crate::{
    Result,
    args::Args,
    commands::list_line,
    report::Line,
    room::{Room, pages},
};

/// Nodes of one request.
const PAGE: usize = 500;

pub(crate) async fn list(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (count, repeat) = (args.number("count"), args.number("repeat"));
    let population = room.preload(count).await?;
    let client = room.zookeeper().await?;
    let before = room.way.quiet().await;
    let mut times = Vec::new();
    for _ in 0..repeat {
        let begun = Instant::now();
        let records = read(&client, &room.prefix()).await?;
        times.push(begun.elapsed());
        if records.len() != count {
            return Err(format!("a list of {} instances, not {count}", records.len()).into());
        }
    }
    room.way.quiet().await;
    let passed = room.way.since(&before);
    drop(population);
    Ok(vec![list_line(room, count, &times, &passed)])
}

/// The records of a folder, by the names of their nodes.
pub(crate) async fn read(client: &Client, folder: &str) -> Result<HashMap<String, Vec<u8>>> {
    let names = client.list_children(folder).await?;
    let reads = pages(names.len(), PAGE).map(|page| {
        let names = &names[page];
        async move {
            let mut reader = client.new_multi_reader();
            for name in names {
                reader.add_get_data(&format!("{folder}/{name}"))?;
            }
            let answers = reader.commit();
            answers.await
        }
    });
    let answers = try_join_all(reads).await?;
    let mut records = HashMap::with_capacity(names.len());
    for (name, answer) in names.into_iter().zip(answers.into_iter().flatten()) {
        if let MultiReadResult::Data { data, .. } = answer {
            records.insert(name, data);
        }
    }
    Ok(records)
}
