use std::time::Duration;

use futures_util::StreamExt as _;
use reception_core::{ClientExt as _, Elector, ErrorKind, Observation};
use reception_memory::{Cluster, MemoryClient};

use crate::{HARMLESS, TTL, client, eventually, pass, service, soon};

async fn reaper(client: &MemoryClient) -> Box<dyn Elector> {
    client.elector(&"reaper".parse().unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn rivals_lead_in_turn_with_growing_tokens() {
    let cluster = Cluster::on_tokio_time();
    let clients: Vec<_> = (0..4).map(|_| client(&cluster)).collect();
    let mut electors = Vec::new();
    for client in &clients {
        electors.push(reaper(client).await);
    }
    let first = electors[0].elect(service("a")).await.unwrap();
    let mut waiting: Vec<_> = electors[1..]
        .iter()
        .enumerate()
        .map(|(n, elector)| elector.elect(service(&format!("b{n}"))))
        .collect();
    for wait in &mut waiting {
        let short = tokio::time::timeout(Duration::from_millis(100), wait).await;
        assert!(short.is_err(), "somebody leads");
    }
    let queue = electors[0].candidates().await.unwrap();
    let ids: Vec<_> = queue.iter().map(|leader| leader.service().unwrap().id().to_string()).collect();
    assert_eq!(ids, ["a", "b0", "b1", "b2"]);

    let (mut token, mut held) = (first.token(), first);
    for wait in waiting {
        held.resign().await.unwrap();
        held = soon(wait).await.unwrap();
        assert!(held.token() > token);
        assert_eq!(electors[0].leader().await.unwrap().unwrap().token(), held.token());
        token = held.token();
    }
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_at_the_deadline_and_before_anybody_else_leads() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let (elector, rival) = (reaper(&one).await, reaper(&other).await);
    let leadership = elector.elect(service("a")).await.unwrap();
    cluster.faults().of(&one).partition();
    let start = tokio::time::Instant::now();
    let wins = rival.elect(service("b"));
    tokio::pin!(wins);
    let lost = tokio::select! {
        error = leadership.lost() => error,
        _ = &mut wins => panic!("two lead at once"),
    };
    assert_eq!(lost.kind(), ErrorKind::LeaseLost);
    assert!(!leadership.is_held());
    assert!(start.elapsed() < TTL);
    let next = soon(wins).await.unwrap();
    assert!(
        start.elapsed() >= TTL && start.elapsed() < TTL + Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert!(next.token() > leadership.token());
    assert!(!leadership.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_partition_shorter_than_the_ttl_keeps_the_leader() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let elector = reaper(&client).await;
    let leadership = elector.elect(service("a")).await.unwrap();
    for _ in 0..20 {
        cluster.faults().partition();
        pass(HARMLESS).await;
        cluster.faults().heal();
        pass(TTL).await;
    }
    assert!(leadership.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_crashed_leader_is_followed_by_the_next_in_line() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let (elector, rival) = (reaper(&one).await, reaper(&other).await);
    let leadership = elector.elect(service("a")).await.unwrap();
    cluster.faults().of(&one).crash().await;
    assert!(!leadership.is_held());
    let next = soon(rival.elect(service("b"))).await.unwrap();
    assert!(next.token() > leadership.token());
}

#[tokio::test(start_paused = true)]
async fn a_paused_leader_wakes_as_a_former_leader() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let (elector, rival) = (reaper(&one).await, reaper(&other).await);
    let leadership = elector.elect(service("a")).await.unwrap();
    cluster.faults().of(&one).pause();
    let next = soon(rival.elect(service("b"))).await.unwrap();
    assert!(!leadership.is_held(), "by the clock alone: nothing of it has run");
    cluster.faults().resume();
    pass(TTL).await;
    assert!(!leadership.is_held());
    assert!(next.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_removed_candidate_loses_at_once_and_stands_behind_the_others() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let (elector, rival) = (reaper(&one).await, reaper(&other).await);
    let leadership = elector.elect(service("a")).await.unwrap();
    pass(Duration::from_millis(100)).await;
    let start = tokio::time::Instant::now();
    cluster.faults().of(&one).expire();
    soon(leadership.lost()).await;
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    let next = soon(rival.elect(service("b"))).await.unwrap();
    assert!(next.token() > leadership.token());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_elect_leaves_no_candidate() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let (elector, rival) = (reaper(&one).await, reaper(&other).await);
    let leadership = elector.elect(service("a")).await.unwrap();
    {
        let waits = rival.elect(service("b"));
        assert!(tokio::time::timeout(Duration::from_secs(1), waits).await.is_err());
    }
    eventually(async || elector.candidates().await.unwrap().len() == 1).await;
    assert!(leadership.is_held());
}

#[tokio::test(start_paused = true)]
async fn canceling_takes_back_every_pending_elect() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let (elector, rival) = (reaper(&one).await, reaper(&other).await);
    let leadership = elector.elect(service("a")).await.unwrap();
    let (outcome, canceled) = tokio::join!(rival.elect(service("b")), async {
        eventually(async || elector.candidates().await.unwrap().len() == 2).await;
        rival.cancel().await
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Canceled);
    canceled.unwrap();
    assert_eq!(elector.candidates().await.unwrap().len(), 1);
    assert!(leadership.is_held());
}

#[tokio::test(start_paused = true)]
async fn wiped_data_begin_a_new_domain() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let elector = reaper(&client).await;
    let before = elector.elect(service("a")).await.unwrap();
    cluster.faults().wipe();
    soon(before.lost()).await;
    let after = soon(elector.elect(service("a"))).await.unwrap();
    assert_eq!(after.token().partial_cmp(&before.token()), None);
}

#[tokio::test(start_paused = true)]
async fn one_elector_stands_once_with_an_id() {
    let cluster = Cluster::on_tokio_time();
    let client = client(&cluster);
    let elector = reaper(&client).await;
    let leadership = elector.elect(service("a")).await.unwrap();
    assert_eq!(elector.elect(service("a")).await.unwrap_err().kind(), ErrorKind::Conflict);
    drop(leadership);
    assert!(soon(elector.elect(service("a"))).await.unwrap().is_held());
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_vacant_then_each_leader() {
    let cluster = Cluster::on_tokio_time();
    let (one, other) = (client(&cluster), client(&cluster));
    let (elector, observer) = (reaper(&one).await, reaper(&other).await);
    let mut seen = observer.observe().await.unwrap();
    assert!(matches!(soon(seen.next()).await, Some(Ok(Observation::Vacant))));
    let leadership = elector.elect(service("a")).await.unwrap();
    let Some(Ok(Observation::Leader(leader))) = soon(seen.next()).await else { panic!("no leader seen") };
    assert_eq!(leader.token(), leadership.token());
    assert_eq!(leader.service().unwrap().id().as_str(), "a");
    leadership.resign().await.unwrap();
    assert!(matches!(soon(seen.next()).await, Some(Ok(Observation::Vacant))));
}
