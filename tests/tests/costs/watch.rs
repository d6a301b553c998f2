//! L18: what one change costs a watcher in a small service and in a large one.

use etcd_client::WatchOptions;
use reception_tests::PATIENCE;
use tokio::time::timeout;

use crate::{
    bounds,
    reader::Reader,
    stage::{Bill, NAMESPACE, Stage, revision},
};

const ROUNDS: u64 = 50;

/// The floor: a bare watch of the same keys with the library that the backend uses.
async fn floor(stage: &Stage, service: &str) -> Bill {
    let way = stage.way().await;
    let bare = etcd_client::Client::connect([way.endpoint().to_string()], None).await.expect("connects");
    let options = WatchOptions::new().with_prefix();
    let prefix = format!("{NAMESPACE}/services/{service}/");
    let mut watch = bare.watch_client().watch(prefix, Some(options)).await.expect("watches");
    let mut reached = 0;
    let mut seen = async |wanted: u64| {
        while reached < wanted {
            let told = timeout(PATIENCE, watch.message()).await.expect("in time").expect("no error");
            let told = told.expect("a stream that goes on");
            if !told.events().is_empty() {
                reached = revision(told.header());
            }
        }
    };
    stage.churn(service, 1, &mut seen).await;
    let before = stage.mark(&way).await;
    let changes = stage.churn(service, ROUNDS, &mut seen).await;
    stage.bill(&way, &before, changes).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_change_costs_a_watcher_no_request_and_the_same_bytes_whatever_the_size() {
    let stage = Stage::start().await;
    stage.grow_old().await;
    stage.seed("small", 10).await;
    stage.seed("large", 10_000).await;
    let bare = floor(&stage, "large").await;
    let mut small = Reader::start(&stage, "small", 10).await;
    let mut large = Reader::start(&stage, "large", 10_000).await;
    let few = small.cost(&stage, ROUNDS).await;
    let many = large.cost(&stage, ROUNDS).await;
    println!("counted: one change, 10 instances: {few}");
    println!("counted: one change, 10,000 instances: {many}");
    println!("counted: one change, a bare watch of 10,000: {bare}");
    for bill in [&few, &many] {
        bounds::no_request(bill).expect("no request");
        bill.must_agree(&["Put", "DeleteRange"]);
        bounds::at_most(bill, &bare).expect("no more bytes than the bare watch");
        assert_eq!(bill.answers, bill.events, "one message for each change");
        // The server saw the changes themselves and told each to one watch, that of the reader.
        let methods: Vec<&str> = bill.server.methods.keys().map(String::as_str).collect();
        assert_eq!(methods, ["DeleteRange", "Put", "Watch"]);
        assert_eq!((bill.server.received(), bill.server.method("Watch").received), (bill.events, 0));
        assert_eq!(bill.server.method("Watch").sent, bill.events);
    }
    bounds::same_bytes(&few, &many).expect("the same bytes");
    // The server's own count of bytes, in which the answers to the one who made the changes are as well.
    let (one, other) = (few.server.bytes_sent, many.server.bytes_sent);
    assert!(one.abs_diff(other) * 50 <= one, "the server sent {one} bytes, and {other}");
    small.must_be_right().await;
    large.must_be_right().await;
}
