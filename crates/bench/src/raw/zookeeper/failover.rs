//! A queue of nodes: the next in line watches the one before it, and looks again once that is gone.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use zookeeper_client::{Client, EventType, OneshotWatcher};

use crate::{
    Result,
    args::Args,
    commands::{kill_line, kills, resign_line, rounds, stagger},
    report::Line,
    room::{EPHEMERAL, Room},
};

pub(crate) async fn resign(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (count, rounds) = (args.number("candidates"), rounds(args, room));
    let (leader, next) = (room.zookeeper().await?, room.zookeeper().await?);
    let (mut events, mut verified, mut requests) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        let queue = room.beside(&format!("elections/{round}"));
        room.make_folder(&queue).await?;
        for number in 0..count {
            leader.create(&format!("{queue}/{number:04}"), b"candidate", &EPHEMERAL).await?;
        }
        let first = format!("{queue}/0000");
        let (_, watch) = next.check_and_watch_stat(&first).await?;
        let before = room.way.quiet().await;
        let begun = Instant::now();
        let (resigned, won) = tokio::join!(leader.delete(&first, None), async {
            removed(watch).await?;
            let event = begun.elapsed();
            leads(&next, &queue).await?;
            Ok::<_, crate::Failure>((event, begun.elapsed()))
        });
        requests += room.way.since(&before).requests;
        resigned?;
        let (event, verify) = won?;
        events.push(event);
        verified.push(verify);
    }
    Ok(vec![resign_line(room, count, (&events, &verified), requests)])
}

/// The leader dies right after an answered request, a third of its session after it began, as ours does.
pub(crate) async fn kill(args: &Args, room: &Room<'_>) -> Result<Vec<Line>> {
    let (ttl, rounds) = (Duration::from_secs(u64::try_from(args.number("ttl"))?), kills(args));
    let next = room.zookeeper().await?;
    let (mut times, mut granted) = (Vec::new(), Duration::ZERO);
    for round in 0..rounds {
        stagger(round, rounds).await;
        let queue = room.beside(&format!("elections/{round}"));
        room.make_folder(&queue).await?;
        let connector = Client::connector().with_session_timeout(ttl).with_detached();
        let leader = connector.connect(&room.way.address().to_string()).await?;
        granted = leader.session_timeout();
        let first = format!("{queue}/0000");
        leader.create(&first, b"leader", &EPHEMERAL).await?;
        for number in 1..args.number("candidates") {
            next.create(&format!("{queue}/{number:04}"), b"candidate", &EPHEMERAL).await?;
        }
        let (_, watch) = next.check_and_watch_stat(&first).await?;
        sleep(granted / 3).await;
        leader.check_stat(&first).await?;
        let begun = Instant::now();
        // The connection ends, the session does not.
        drop(leader);
        removed(watch).await?;
        leads(&next, &queue).await?;
        times.push(begun.elapsed());
    }
    Ok(vec![kill_line(room, args, &times, granted)])
}

async fn removed(watch: OneshotWatcher) -> Result<()> {
    match watch.changed().await.event_type {
        EventType::NodeDeleted => Ok(()),
        other => Err(format!("the watched node is told of as {other}").into()),
    }
}

/// Fails unless the second one is the first in line now.
async fn leads(next: &Client, queue: &str) -> Result<()> {
    let standing = next.list_children(queue).await?;
    if standing.iter().min().is_some_and(|first| first == "0001") {
        return Ok(());
    }
    Err("another candidate leads".into())
}
