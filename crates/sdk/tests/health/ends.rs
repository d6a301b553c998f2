//! A gate leaves nothing, whenever it ends.

use reception::{
    Client,
    health::{self, Gate, GateOptions},
};
use tokio::{runtime::Handle, time::sleep};

use super::*;

/// Steps that no round number of anything divides.
const STEP: Duration = Duration::from_micros(237_731);

/// A check whose tries take a while, that is good for a while and then bad for a while.
fn restless()
-> impl FnMut() -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + 'static {
    let mut tries = 0_u32;
    move || {
        tries += 1;
        let good = (tries / 3).is_multiple_of(2);
        Box::pin(async move {
            sleep(Duration::from_millis(150)).await;
            if good { Ok(()) } else { Err("restless".to_owned()) }
        })
    }
}

async fn start(cluster: &Cluster) -> (Arc<MemoryClient>, Gate) {
    let client = Arc::new(cluster.client(Options::default()).expect("a client"));
    // So that a call to the store takes long enough to be met.
    cluster.faults().of(&client).delay(Duration::from_millis(300));
    let gate = health::gate(client.clone(), api(), restless(), GateOptions::default()).expect("a gate");
    (client, gate)
}

#[tokio::test(start_paused = true)]
async fn a_gate_dropped_at_any_moment_leaves_no_registration_and_no_task() {
    let cluster = Cluster::on_tokio_time();
    let watcher = cluster.client(Options::default()).unwrap();
    for step in 0..60 {
        let (client, gate) = start(&cluster).await;
        sleep(STEP * step).await;
        drop(gate);
        sleep(seconds(2)).await;
        assert!(shown(&watcher).await.is_empty(), "dropped at step {step}");
        client.close().await.unwrap();
        drop(client);
    }
    watcher.close().await.unwrap();
    drop(watcher);
    let alone = || async {
        let tasks = Handle::current().metrics().num_alive_tasks();
        if tasks == 0 { Ok(()) } else { Err(tasks) }
    };
    reception_lab::eventually(LIMIT, alone).await.expect("every task has ended");
}

#[tokio::test(start_paused = true)]
async fn a_gate_closed_at_any_moment_is_gone_when_close_is_ok() {
    let cluster = Cluster::on_tokio_time();
    let watcher = cluster.client(Options::default()).unwrap();
    let before = Handle::current().metrics().num_alive_tasks();
    for step in 0..60 {
        let (client, gate) = start(&cluster).await;
        sleep(STEP * step).await;
        gate.close().await.unwrap_or_else(|error| panic!("closed at step {step}: {error}"));
        assert!(shown(&watcher).await.is_empty(), "closed at step {step}");
        sleep(seconds(30)).await;
        assert!(shown(&watcher).await.is_empty(), "closed at step {step}, later");
        client.close().await.unwrap();
    }
    let alone = || async {
        let tasks = Handle::current().metrics().num_alive_tasks();
        if tasks <= before { Ok(()) } else { Err(tasks) }
    };
    reception_lab::eventually(LIMIT, alone).await.expect("every task has ended");
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_dropped_at_any_moment_goes_on() {
    let cluster = Cluster::on_tokio_time();
    let watcher = cluster.client(Options::default()).unwrap();
    for step in 0..20 {
        let (client, gate) = start(&cluster).await;
        sleep(seconds(3)).await;
        let closing = tokio::time::timeout(Duration::from_millis(47) * step, gate.close()).await;
        assert!(closing.is_err() || closing.is_ok_and(|outcome| outcome.is_ok()));
        sleep(seconds(2)).await;
        assert!(shown(&watcher).await.is_empty(), "step {step}");
        client.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_gate_keeps_the_client_open_and_lets_it_go() {
    let cluster = Cluster::on_tokio_time();
    let watcher = cluster.client(Options::default()).unwrap();
    let client: Arc<dyn Client> = Arc::new(cluster.client(Options::default()).unwrap());
    let gate = health::gate(client, api(), health::always(), GateOptions::default()).unwrap();
    until_shown(&watcher, &["one"]).await;
    sleep(seconds(60)).await;
    assert_eq!(shown(&watcher).await, ["one"]);
    drop(gate);
    until_shown(&watcher, &[]).await;
    reception_lab::eventually(LIMIT, || async {
        let left = cluster.residue("").expect("a namespace");
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await
    .expect("the client is closed");
}

#[test]
fn a_runtime_that_ends_ends_the_story() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let home = runtime();
    let gate = home.block_on(async {
        let client = Arc::new(Cluster::new().client(Options::default()).unwrap());
        let gate = health::gate(client, api(), health::always(), GateOptions::default().rise(1)).unwrap();
        assert_eq!(Story::of(&gate).next().await, "registered one");
        gate
    });
    home.shutdown_background();
    let other = runtime();
    other.block_on(async {
        let told = Story::of(&gate).rest().await;
        assert_eq!(told.last().map(String::as_str), Some("lost: no runtime"), "{told:?}");
        assert_eq!(in_time(gate.close()).await.expect_err("lost").kind(), reception::ErrorKind::NoRuntime);
    });
}
