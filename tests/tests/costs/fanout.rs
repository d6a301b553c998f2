//! L17: however many readers of one client, the store serves one.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use reception::{BoxStream, ClientExt as _, Elector, Observation, Result};
use reception_tests::{PATIENCE, patiently};
use tokio::time::timeout;

use crate::{
    bounds,
    reader::Reader,
    stage::{Bill, NAMESPACE, Stage, client, revision},
};

const MANY: usize = 1000;
const ROUNDS: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_watchers_of_a_service_cost_the_store_what_one_does() {
    let stage = Stage::start().await;
    stage.grow_old().await;
    stage.seed("api", 100).await;
    let mut reader = Reader::start(&stage, "api", 100).await;
    let one = reader.cost(&stage, ROUNDS).await;
    reader.grow(MANY).await;
    let many = reader.cost(&stage, ROUNDS).await;
    println!("counted: one change, 1 watcher: {one}");
    println!("counted: one change, 1,000 watchers: {many}");
    println!("counted: open for 1,000 watchers: {} watches", many.server.watches);
    bounds::one_watch(many.server.watches).expect("one watch");
    bounds::one_watch(many.server.watch_streams).expect("one stream");
    for bill in [&one, &many] {
        bill.must_agree(&["Put", "DeleteRange"]);
        bounds::no_request(bill).expect("no request");
        assert_eq!(bill.server.method("Watch").sent, bill.events, "one message for each change");
    }
    bounds::at_most(&many, &one).expect("the same bytes");
    reader.must_be_right().await;
}

/// Observers of one election through one client.
struct Audience {
    elector: Box<dyn Elector>,
    streams: Vec<BoxStream<Result<Observation>>>,
}

impl Audience {
    async fn grow(&mut self, count: usize) {
        while self.streams.len() < count {
            let observed = patiently("observe", self.elector.observe()).await;
            self.streams.push(observed.expect("observes"));
        }
    }

    /// Takes items until every observer has seen this leader.
    async fn sees(&mut self, token: u64) {
        for stream in &mut self.streams {
            loop {
                let item = timeout(PATIENCE, stream.next()).await.expect("an item in time");
                match item.expect("a stream that goes on").expect("no error") {
                    Observation::Leader(leader) if leader.token().value() == token => break,
                    _ => {}
                }
            }
        }
    }
}

/// A candidate of another program; gives its token.
async fn stand(stage: &Stage, number: u64) -> (String, u64) {
    let key = format!("{NAMESPACE}/elections/reaper/{:x}", 0x1000_0000 + number);
    let put = stage.kv().put(key.as_str(), "somebody", None).await.expect("puts");
    (key, revision(put.header()))
}

/// Removes the leader several times; each next one is seen by all.
async fn successions(
    stage: &Stage,
    way: &reception_lab::Proxy,
    line: &mut VecDeque<(String, u64)>,
    audience: &mut Audience,
) -> Bill {
    const TIMES: u64 = 10;
    let before = stage.mark(way).await;
    for _ in 0..TIMES {
        let (key, _) = line.pop_front().expect("a leader");
        stage.kv().delete(key, None).await.expect("deletes");
        audience.sees(line[0].1).await;
        // Its watch of the next one is open when nothing more is said.
        stage.mark(way).await;
    }
    stage.bill(way, &before, TIMES).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_observers_of_an_election_cost_the_store_what_one_does() {
    let stage = Stage::start().await;
    stage.grow_old().await;
    let way = stage.way().await;
    let client = client(&way, "").await;
    let mut line = VecDeque::new();
    for number in 0..21 {
        line.push_back(stand(&stage, number).await);
    }
    let elector = client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
    let mut audience = Audience { elector, streams: Vec::new() };
    audience.grow(1).await;
    audience.sees(line[0].1).await;
    let one = successions(&stage, &way, &mut line, &mut audience).await;
    audience.grow(MANY).await;
    let many = successions(&stage, &way, &mut line, &mut audience).await;
    println!("counted: a new leader, 1 observer: {one}");
    println!("counted: a new leader, 1,000 observers: {many}");
    bounds::one_watch(many.server.watches).expect("one watch");
    // The one read and the one watch of the next leader.
    for bill in [&one, &many] {
        bill.must_agree(&["DeleteRange"]);
        bounds::two_requests_each(bill).expect("two requests");
    }
    bounds::at_most(&many, &one).expect("the same bytes");
}
