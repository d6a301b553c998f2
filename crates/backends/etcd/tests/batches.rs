//! Many writes at once, which go together, where something goes wrong with one or with all of them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests panic")]

use std::{fmt::Display, sync::Arc, time::Duration};

use etcd_client::GetOptions;
use futures_util::future::join_all;
use reception_core::{
    Client, ClientExt, Dialer, ErrorKind, OnConflict, RegisterOptions, Registration, Result, Service,
};
use reception_lab::{Etcd, Flow, Proxy, Way, eventually};

const MANY: usize = 100;
const SOON: Duration = Duration::from_secs(10);

async fn dial(address: impl Display, options: &str) -> Arc<dyn Client> {
    let url = format!("etcd://{address}/test?{options}");
    Dialer::new().with(reception_etcd::BACKEND).unwrap().dial(&url).await.unwrap()
}

async fn direct(etcd: &Etcd) -> etcd_client::Client {
    etcd_client::Client::connect([etcd.endpoint().to_string()], None).await.unwrap()
}

fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

fn id(number: usize) -> String {
    format!("i{number:03}")
}

async fn register(client: &Arc<dyn Client>, numbers: std::ops::Range<usize>) -> Vec<Result<Registration>> {
    let options = RegisterOptions::default().on_conflict(OnConflict::Fail);
    join_all(numbers.map(|number| client.register_with(instance(&id(number)), options))).await
}

/// The ids in the store, and how often each was written.
async fn stored(store: &etcd_client::Client) -> Vec<(String, i64)> {
    let all = GetOptions::new().with_prefix();
    let read = store.kv_client().get("test/services/api/", Some(all)).await.unwrap();
    let id = |key: &str| key.rsplit('/').next().unwrap().to_owned();
    read.kvs().iter().map(|kv| (id(kv.key_str().unwrap()), kv.version())).collect()
}

async fn nothing_is_left(store: &etcd_client::Client) {
    let none = || async {
        let left = stored(store).await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    };
    eventually(SOON, none).await.unwrap();
}

#[tokio::test]
async fn an_outcome_that_is_cut_is_read_back_by_each_and_none_is_lost_or_doubled() {
    let etcd = Etcd::start().await.unwrap();
    let (store, proxy) = (direct(&etcd).await, Proxy::start(etcd.endpoint()).await.unwrap());
    let client = dial(proxy.endpoint(), "ttl=60s&timeout=5s").await;
    let first = client.register(instance("first")).await.unwrap();
    proxy.cut_before_reply(id(42));
    let guards = register(&client, 0..MANY).await.into_iter().collect::<Result<Vec<_>>>().unwrap();
    assert_eq!(proxy.counts().replies_cut, 1);
    let found = stored(&store).await;
    assert_eq!(found.len(), MANY + 1, "{found:?}");
    // Who found its own record there put it once more, over that revision.
    assert!(found.iter().all(|(_, version)| *version <= 2), "{found:?}");
    assert!(found.iter().any(|(id, version)| id == "i042" && *version == 2), "{found:?}");
    for closed in join_all(guards.into_iter().map(Registration::close)).await {
        closed.unwrap();
    }
    assert_eq!(stored(&store).await, [("first".to_owned(), 1)]);
    first.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_batch_whose_answer_never_comes_leaves_nothing() {
    let etcd = Etcd::start().await.unwrap();
    let (store, proxy) = (direct(&etcd).await, Proxy::start(etcd.endpoint()).await.unwrap());
    let client = dial(proxy.endpoint(), "ttl=60s&timeout=1s").await;
    let first = client.register(instance("first")).await.unwrap();
    proxy.set(Way::ToClient, Flow::Swallow);
    for outcome in register(&client, 0..MANY).await {
        let error = outcome.expect_err("no answer came");
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
    }
    assert!(stored(&store).await.len() > 1, "some had landed");
    proxy.heal().await.unwrap();
    first.close().await.unwrap();
    nothing_is_left(&store).await;
    client.close().await.unwrap();
    nothing_is_left(&store).await;
}

#[tokio::test]
async fn futures_that_are_dropped_in_a_crowd_leave_nothing_and_hurt_nobody() {
    let etcd = Etcd::start().await.unwrap();
    let store = direct(&etcd).await;
    let client = dial(etcd.endpoint(), "ttl=60s&timeout=5s").await;
    let first = client.register(instance("first")).await.unwrap();
    for polls in 1..6 {
        let kept = register(&client, 0..MANY / 2);
        let dropped = async {
            let crowd = register(&client, MANY / 2..MANY);
            let mut crowd = Box::pin(crowd);
            for _ in 0..polls {
                drop(futures_util::poll!(&mut crowd));
                tokio::task::yield_now().await;
            }
        };
        let (kept, ()) = tokio::join!(kept, dropped);
        let kept = kept.into_iter().collect::<Result<Vec<_>>>().unwrap();
        let half = || async {
            let found = stored(&store).await.len();
            if found == MANY / 2 + 1 { Ok(()) } else { Err(found) }
        };
        eventually(SOON, half).await.unwrap();
        drop(kept);
        let alone = || async {
            let found = stored(&store).await.len();
            if found == 1 { Ok(()) } else { Err(found) }
        };
        eventually(SOON, alone).await.unwrap();
    }
    first.close().await.unwrap();
    client.close().await.unwrap();
    nothing_is_left(&store).await;
}

#[tokio::test]
async fn who_finds_its_id_taken_fails_alone() {
    let etcd = Etcd::start().await.unwrap();
    let (ours, theirs) = (dial(etcd.endpoint(), "ttl=60s").await, dial(etcd.endpoint(), "ttl=60s").await);
    let taken = [7, 33, 99];
    let mut others = Vec::new();
    for number in taken {
        others.push(theirs.register(instance(&id(number))).await.unwrap());
    }
    for (number, outcome) in register(&ours, 0..MANY).await.iter().enumerate() {
        match outcome {
            Err(error) if taken.contains(&number) => assert_eq!(error.kind(), ErrorKind::Conflict),
            Ok(_) if !taken.contains(&number) => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    ours.close().await.unwrap();
    assert_eq!(ours_left(&etcd).await, taken.len(), "what is theirs stays");
    theirs.close().await.unwrap();
}

async fn ours_left(etcd: &Etcd) -> usize {
    stored(&direct(etcd).await).await.len()
}
