//! A session that the driver keeps, and a watch.

use tokio::task::JoinSet;
use zookeeper_client::{AddWatchMode, EventType};

use super::pipelined;
use crate::{Result, args::Args, commands::look, report::Line, room::Room};

pub(crate) async fn idle(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let client = room.zookeeper().await?;
    pipelined(room, &client, 0..args.number("count"), 64).await?;
    let mut watcher = client.watch(&room.prefix(), AddWatchMode::PersistentRecursive).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { while watcher.changed().await.event_type != EventType::Session {} });
    let line = look(args, room).await?;
    tasks.shutdown().await;
    Ok(vec![line])
}
