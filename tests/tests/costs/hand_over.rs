//! What a resignation costs, whatever the number of candidates.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use reception::{Client, ClientExt as _, Elector, Leadership};
use reception_tests::PATIENCE;
use tokio::time::timeout;

use crate::{
    bounds,
    stage::{Bill, Stage, client, instance},
};

const TIMES: u64 = 5;

async fn elected(number: usize, elector: &dyn Elector) -> (usize, Leadership) {
    (number, elector.elect(instance(number)).await.expect("elected"))
}

/// Clients that all stand for one leadership, each a program of its own but for the way it takes.
async fn hand_overs(candidates: usize) -> Bill {
    let stage = Stage::start().await;
    let way = stage.way().await;
    let mut clients: Vec<Arc<dyn Client>> = Vec::new();
    let mut electors: Vec<Box<dyn Elector>> = Vec::new();
    for _ in 0..candidates {
        // Long enough that no renewal comes between.
        let client = client(&way, "ttl=600s").await;
        electors.push(client.elector(&"reaper".parse().expect("a name")).await.expect("an elector"));
        clients.push(client);
    }
    let mut standing: FuturesUnordered<_> =
        electors.iter().enumerate().map(|(number, elector)| elected(number, &**elector)).collect();
    let (mut leader, mut leadership) =
        timeout(PATIENCE, standing.next()).await.expect("in time").expect("one");
    let mut total: Option<Bill> = None;
    for _ in 0..TIMES {
        let all = stage.candidates(candidates);
        tokio::select! {
            () = all => {}
            other = standing.next() => panic!("two lead: {other:?}"),
        }
        let before = stage.mark(&way).await;
        let (resigned, next) =
            tokio::join!(timeout(PATIENCE, leadership.resign()), timeout(PATIENCE, standing.next()));
        resigned.expect("in time").expect("resigns");
        let next = next.expect("in time").expect("one");
        let bill = stage.bill(&way, &before, 1).await;
        total = Some(match total {
            Some(sum) => sum.plus(&bill),
            None => bill,
        });
        standing.push(elected(leader, &*electors[leader]));
        (leader, leadership) = next;
        assert!(leadership.is_held());
    }
    total.expect("some")
}

fn two_requests(bill: &Bill) {
    bill.must_agree(&[]);
    bounds::two_requests_each(bill).expect("two requests");
    assert_eq!(bill.server.method("LeaseRevoke").received, TIMES, "the one that leaves: {bill}");
    assert_eq!(bill.server.method("Txn").received, TIMES, "the one that follows: {bill}");
    assert_eq!(bill.server.received(), 2 * TIMES, "and nobody else: {bill}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resignation_hands_over_with_two_requests_among_3_candidates() {
    let bill = hand_overs(3).await;
    println!("counted: resignations among 3 candidates: {bill}");
    two_requests(&bill);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resignation_hands_over_with_two_requests_among_20_candidates() {
    let bill = hand_overs(20).await;
    println!("counted: resignations among 20 candidates: {bill}");
    two_requests(&bill);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resignation_hands_over_with_two_requests_among_100_candidates() {
    let bill = hand_overs(100).await;
    println!("counted: resignations among 100 candidates: {bill}");
    two_requests(&bill);
}
