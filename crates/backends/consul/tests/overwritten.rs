//! Records that somebody writes over while our client goes on: they are left alone, without our checks, whatever the client does before it finds out.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use reception_core::{
    Client, ClientExt, Dialer, ErrorKind, ListOptions, OnConflict, RegisterOptions, Registration,
    RegistrationState, Service, Status,
};
use reception_lab::{Consul, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const ONE: &str = "prod-api:one";

async fn dial(consul: &Consul, options: &str) -> Arc<dyn Client> {
    let url = format!("consul://{}/prod?timeout=2s{options}", consul.endpoint());
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

fn instance(id: &str) -> Service {
    Service::builder("api", "127.0.0.1", 80).id(id).build().unwrap()
}

async fn read(consul: &Consul, path: &str) -> Value {
    serde_json::from_str(&consul.api().get(path).await.unwrap().body).unwrap_or(Value::Null)
}

/// The ids of the checks of the instance `one`, sorted.
async fn checks(consul: &Consul) -> Vec<String> {
    let all = read(consul, "/v1/agent/checks").await;
    let of = all.as_object().unwrap().iter().filter(|(_, check)| check["ServiceID"] == ONE);
    of.map(|(id, _)| id.clone()).collect()
}

async fn port(consul: &Consul) -> Value {
    read(consul, &format!("/v1/agent/service/{ONE}")).await["Port"].clone()
}

/// Another program takes the id of `one`, with a check of its own.
async fn overwrite(consul: &Consul) {
    let check = json!({ "CheckID": "theirs", "TTL": "10m", "Status": "passing" });
    let theirs = json!({ "ID": ONE, "Name": "prod-api", "Address": "10.0.0.9", "Port": 81, "Check": check });
    consul.api().put("/v1/agent/service/register", &theirs.to_string()).await.unwrap();
}

async fn ends_with_conflict(registration: &Registration) {
    eventually(SOON, || async {
        match registration.state() {
            RegistrationState::Ended(why) if why.kind() == ErrorKind::Conflict => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
}

/// The second registration of a client ties the first one to another check, which writes its record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_registration_does_not_write_the_first_one_over_another_programs() {
    let consul = Consul::start().await.unwrap();
    let client = dial(&consul, "").await;
    let one = client.register(instance("one")).await.unwrap();
    overwrite(&consul).await;
    let two = client.register(instance("two")).await.unwrap();
    assert_eq!(port(&consul).await, 81);
    ends_with_conflict(&one).await;
    assert_eq!(port(&consul).await, 81);
    assert_eq!(checks(&consul).await, ["theirs"]);
    let view = client.list_with(&"api".parse().unwrap(), ListOptions::default()).await.unwrap();
    assert_eq!(view.get("two").map(Service::status), Some(Status::Up));
    two.close().await.unwrap();
    client.close().await.unwrap();
    assert_eq!(checks(&consul).await, ["theirs"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_registration_does_not_take_the_id_back_from_one_that_has_replaced_the_first() {
    let consul = Consul::start().await.unwrap();
    taken_back(&consul, "", 1).await;
    taken_back(&consul, "&check=none", 0).await;
}

async fn taken_back(consul: &Consul, options: &str, checked: usize) {
    let (client, other) = (dial(consul, "").await, dial(consul, options).await);
    let one = client.register(instance("one")).await.unwrap();
    let replace = RegisterOptions::default().on_conflict(OnConflict::Replace);
    let moved = Service::builder("api", "127.0.0.1", 81).id("one").build().unwrap();
    let theirs = other.register_with(moved, replace).await.unwrap();
    let two = client.register(instance("two")).await.unwrap();
    assert_eq!(port(consul).await, 81);
    ends_with_conflict(&one).await;
    two.close().await.unwrap();
    client.close().await.unwrap();
    assert_eq!(port(consul).await, 81);
    assert!(matches!(theirs.state(), RegistrationState::Active), "{:?}", theirs.state());
    assert_eq!(checks(consul).await.len(), checked, "its own");
    other.close().await.unwrap();
    assert!(read(consul, "/v1/agent/services").await.as_object().unwrap().is_empty());
}

/// A client that closes looks for what carries its mark, and a record that was written over does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_closes_leaves_no_check_at_a_record_that_was_written_over() {
    let consul = Consul::start().await.unwrap();
    for (options, ids) in [
        ("", vec!["one"]),
        ("", vec!["one", "two"]),
        ("&check=http", vec!["one"]),
        ("&check=tcp", vec!["one"]),
    ] {
        let client = dial(&consul, options).await;
        let mut guards = Vec::new();
        for id in ids {
            let draining = instance(id).to_builder().status(Status::Draining).build().unwrap();
            guards.push(client.register(draining).await.unwrap());
        }
        overwrite(&consul).await;
        client.close().await.unwrap();
        assert_eq!(checks(&consul).await, ["theirs"], "{options}");
        assert_eq!(port(&consul).await, 81);
        consul.api().put(&format!("/v1/agent/service/deregister/{ONE}"), "").await.unwrap();
        assert!(read(&consul, "/v1/agent/services").await.as_object().unwrap().is_empty(), "{options}");
    }
}

/// Two that claim an id at once write one record. The one that gives way takes its check along, and its mark may stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_with_the_mark_of_one_that_has_left_goes_with_us() {
    let consul = Consul::start().await.unwrap();
    for ids in [vec!["one"], vec!["one", "two"]] {
        for alone in [true, false] {
            let client = dial(&consul, "").await;
            let mut guards = Vec::new();
            for id in &ids {
                guards.push(client.register(instance(id)).await.unwrap());
            }
            let mark = format!("{}-{}", "a".repeat(32), "b".repeat(32));
            let meta = json!({ "reception-owner": mark });
            let theirs =
                json!({ "ID": ONE, "Name": "prod-api", "Address": "127.0.0.1", "Port": 80, "Meta": meta });
            consul.api().put("/v1/agent/service/register", &theirs.to_string()).await.unwrap();
            assert_eq!(checks(&consul).await.len(), 1, "ours");
            if alone {
                guards.swap_remove(0).close().await.unwrap();
                assert_eq!(port(&consul).await, Value::Null);
            }
            client.close().await.unwrap();
            assert!(read(&consul, "/v1/agent/services").await.as_object().unwrap().is_empty(), "{ids:?}");
        }
    }
}

/// Not only maintenance: whatever others hang on a service of ours is theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_an_operator_hangs_on_our_instance_stays_when_another_is_registered() {
    let consul = Consul::start().await.unwrap();
    let client = dial(&consul, "").await;
    let one = client.register(instance("one")).await.unwrap();
    let theirs =
        json!({ "ID": "theirs", "Name": "disk", "ServiceID": ONE, "TTL": "10m", "Status": "critical" });
    consul.api().put("/v1/agent/check/register", &theirs.to_string()).await.unwrap();
    let two = client.register(instance("two")).await.unwrap();
    one.update(instance("one").to_builder().attribute("zone", "a").build().unwrap()).await.unwrap();
    let stand = checks(&consul).await;
    assert!(stand.len() == 2 && stand.contains(&"theirs".to_owned()), "{stand:?}");
    let view = client.list_with(&"api".parse().unwrap(), ListOptions::default()).await.unwrap();
    assert!(view.get("one").is_none() && view.get("two").is_some(), "{view:?}");
    one.close().await.unwrap();
    two.close().await.unwrap();
    assert!(read(&consul, "/v1/agent/checks").await.as_object().unwrap().is_empty());
    client.close().await.unwrap();
}
