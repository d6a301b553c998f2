//! What others do to an election: whoever leads is the one that everybody sees, by the same token.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{Client, ClientExt, Dialer, Elector, ErrorKind, Leadership, Observation, Service};
use reception_lab::{Consul, Proxy, ProxyOptions, eventually};
use serde_json::{Value, json};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);
const LOCK: &str = "/v1/kv/prod/reaper/.lock";

async fn dial(agent: impl std::fmt::Display) -> Arc<dyn Client> {
    let url = format!("consul://{agent}/prod?election_ttl=2s&timeout=2s");
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

fn candidate(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

async fn elector(client: &Arc<dyn Client>) -> Box<dyn Elector> {
    client.elector(&"reaper".parse().unwrap()).await.unwrap()
}

async fn read(consul: &Consul, path: &str) -> Value {
    serde_json::from_str(&consul.api().get(path).await.unwrap().body).unwrap_or(Value::Null)
}

/// Waits until this one is the leader for all who look.
async fn seen_by_all(leadership: &Leadership, electors: &[&dyn Elector]) {
    for elector in electors {
        eventually(SOON, || async {
            let told = elector.leader().await.map_err(|error| error.to_string())?;
            let token = told.map(|leader| leader.token());
            if token == Some(leadership.token()) { Ok(()) } else { Err(format!("{token:?}")) }
        })
        .await
        .unwrap();
    }
}

/// A value that is put into the key gives it another index, which is what others take for the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_to_the_key_of_a_lock_ends_the_leadership_and_the_next_token_is_larger() {
    let consul = Consul::start().await.unwrap();
    let (client, other) = (dial(consul.endpoint()).await, dial(consul.endpoint()).await);
    let (elector, observer) = (elector(&client).await, elector(&other).await);
    let leadership = elector.elect(candidate("one")).await.unwrap();
    let before = leadership.token();
    consul.api().put(LOCK, "nonsense").await.unwrap();
    timeout(SOON, leadership.lost()).await.unwrap();
    let again = timeout(SOON, elector.elect(candidate("one"))).await.unwrap().unwrap();
    assert!(again.token() > before);
    seen_by_all(&again, &[&*elector, &*observer]).await;
    again.resign().await.unwrap();
    client.close().await.unwrap();
    other.close().await.unwrap();
}

/// With the keys of a namespace the domain of its tokens goes. Who waited all the while, and who looks on, take the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_all_keys_are_deleted_everybody_sees_the_same_domain() {
    let consul = Consul::start().await.unwrap();
    let (first, second, looks_on) =
        (dial(consul.endpoint()).await, dial(consul.endpoint()).await, dial(consul.endpoint()).await);
    let (leads, waits, observer) = (elector(&first).await, elector(&second).await, elector(&looks_on).await);
    let mut observed = observer.observe().await.unwrap();
    let leadership = leads.elect(candidate("one")).await.unwrap();
    let mut waiting = waits.elect(candidate("two"));
    assert!(timeout(Duration::from_secs(1), &mut waiting).await.is_err(), "there is a leader");
    consul.api().ask("DELETE", "/v1/kv/prod/?recurse", "").await.unwrap();
    timeout(SOON, leadership.lost()).await.unwrap();
    let next = timeout(SOON, waiting).await.unwrap().unwrap();
    assert_ne!(next.token().domain(), leadership.token().domain());
    seen_by_all(&next, &[&*leads, &*waits, &*observer]).await;

    // Nor does it matter who wrote it.
    let mut waiting = leads.elect(candidate("one"));
    assert!(timeout(Duration::from_secs(1), &mut waiting).await.is_err(), "there is a leader");
    let theirs = [7; 16];
    consul.api().put("/v1/kv/prod/.domain", &"07".repeat(16)).await.unwrap();
    consul.api().ask("DELETE", LOCK, "").await.unwrap();
    timeout(SOON, next.lost()).await.unwrap();
    let next = timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(next.token().domain(), theirs);
    seen_by_all(&next, &[&*leads, &*waits, &*observer]).await;
    let told = async {
        loop {
            if let Some(Ok(Observation::Leader(leader))) = observed.next().await
                && leader.token() == next.token()
            {
                return;
            }
        }
    };
    timeout(SOON, told).await.unwrap();
    next.resign().await.unwrap();
    for client in [first, second, looks_on] {
        client.close().await.unwrap();
    }
}

/// The servers lose the check of a candidate, and the agent finds that out when it compares all, within a minute or two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_the_servers_lost_is_told_again_and_not_asked_for_without_pause() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start_with(consul.endpoint(), ProxyOptions::default().http1(true)).await.unwrap();
    let client = dial(proxy.endpoint()).await;
    let elector = elector(&client).await;
    let leadership = elector.elect(candidate("one")).await.unwrap();
    let checks = read(&consul, "/v1/health/service/reception--session").await;
    let row = json!({ "Node": checks[0]["Node"]["Node"], "ServiceID": checks[0]["Service"]["ID"] });
    consul.api().put("/v1/catalog/deregister", &row.to_string()).await.unwrap();
    timeout(SOON, leadership.lost()).await.unwrap();
    let before = proxy.asked().len();
    let again = timeout(SOON, elector.elect(candidate("one"))).await.unwrap().unwrap();
    let asked = proxy.asked().split_off(before);
    let tries = asked.iter().filter(|asked| asked.contains("/v1/session/create")).count();
    assert!(tries <= 12, "{asked:?}");
    again.resign().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_is_none_is_written_over_by_the_next_leader() {
    let consul = Consul::start().await.unwrap();
    let (client, other) = (dial(consul.endpoint()).await, dial(consul.endpoint()).await);
    let (leads, waits) = (elector(&client).await, elector(&other).await);
    consul.api().put("/v1/kv/prod/.domain", "rubbish").await.unwrap();
    let leadership = timeout(SOON, leads.elect(candidate("one"))).await.unwrap().unwrap();
    seen_by_all(&leadership, &[&*leads, &*waits]).await;
    let mut waiting = waits.elect(candidate("two"));
    assert!(timeout(Duration::from_secs(1), &mut waiting).await.is_err(), "there is a leader");
    // Read by the transaction that takes the lock, long after it was looked for.
    consul.api().put("/v1/kv/prod/.domain", "rubbish").await.unwrap();
    leadership.resign().await.unwrap();
    let next = timeout(SOON, waiting).await.unwrap().unwrap();
    seen_by_all(&next, &[&*leads, &*waits]).await;
    next.resign().await.unwrap();
    client.close().await.unwrap();
    other.close().await.unwrap();
}

/// A semaphore of `consul lock -n` has its key there, and its holders beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_no_lock_is_left_as_it_is() {
    let consul = Consul::start().await.unwrap();
    let client = dial(consul.endpoint()).await;
    let elector = elector(&client).await;
    // One that is made by hand has no flags.
    let by_hand = r#"{"Limit":2,"Holders":{}}"#;
    for (flags, theirs) in [("42", "theirs"), ("16210313421097356768", "theirs"), ("0", by_hand)] {
        consul.api().put(&format!("{LOCK}?flags={flags}"), theirs).await.unwrap();
        let refused = timeout(SOON, elector.elect(candidate("one"))).await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
        assert!(refused.context().contains("prod/reaper/.lock is no lock"), "{refused}");
        assert_eq!(consul.api().get(&format!("{LOCK}?raw")).await.unwrap().body, theirs);
    }
    consul.api().ask("DELETE", LOCK, "").await.unwrap();
    timeout(SOON, elector.elect(candidate("one"))).await.unwrap().unwrap().resign().await.unwrap();
    client.close().await.unwrap();
}

/// What an operator releases or writes by a plain request has no flags, and `consul lock` would take such a key for none of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_an_operator_releases_is_taken_by_who_waits_for_it() {
    let consul = Consul::start().await.unwrap();
    let (client, other) = (dial(consul.endpoint()).await, dial(consul.endpoint()).await);
    let (leads, waits) = (elector(&client).await, elector(&other).await);
    let mut before = leads.elect(candidate("one")).await.unwrap();
    let mut waiting = waits.elect(candidate("two"));
    assert!(timeout(Duration::from_secs(1), &mut waiting).await.is_err(), "there is a leader");
    for (theirs, lost) in [("", &leads), ("a note", &waits)] {
        let session = read(&consul, LOCK).await[0]["Session"].as_str().unwrap().to_owned();
        consul.api().put(&format!("{LOCK}?release={session}"), theirs).await.unwrap();
        timeout(SOON, before.lost()).await.unwrap();
        let next = timeout(SOON, waiting).await.unwrap().unwrap();
        assert!(next.token() > before.token());
        seen_by_all(&next, &[&*leads, &*waits]).await;
        (before, waiting) = (next, lost.elect(candidate("one")));
        assert!(timeout(Duration::from_secs(1), &mut waiting).await.is_err(), "there is a leader");
    }
    drop(waiting);
    before.resign().await.unwrap();
    // Nobody holds it, and nobody says what it is.
    consul.api().put(LOCK, "a note").await.unwrap();
    timeout(SOON, leads.elect(candidate("one"))).await.unwrap().unwrap().resign().await.unwrap();
    client.close().await.unwrap();
    other.close().await.unwrap();
}
