//! What others do to our instances at the agent, and what of theirs is left alone.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use reception_core::{
    Client, ClientExt, Dialer, ErrorKind, ListOptions, RegistrationState, Service, ServiceName, Status,
};
use reception_lab::{Consul, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

async fn dial(consul: &Consul, options: &str) -> Arc<dyn Client> {
    let url = format!("consul://{}/prod?timeout=2s{options}", consul.endpoint());
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

fn api() -> ServiceName {
    "api".parse().unwrap()
}

fn instance(id: &str) -> Service {
    Service::builder("api", "127.0.0.1", 80).id(id).build().unwrap()
}

async fn read(consul: &Consul, path: &str) -> Value {
    serde_json::from_str(&consul.api().get(path).await.unwrap().body).unwrap()
}

/// The ids of the checks of a service, sorted.
async fn checks(consul: &Consul, service: &str) -> Vec<String> {
    let all = read(consul, "/v1/agent/checks").await;
    let of = all.as_object().unwrap().iter().filter(|(_, check)| check["ServiceID"] == service);
    of.map(|(id, _)| id.clone()).collect()
}

async fn status(client: &Arc<dyn Client>, id: &str) -> Option<Status> {
    let view = client.list_with(&api(), ListOptions::default().any_status(true)).await.unwrap();
    view.get(id).map(Service::status)
}

/// Maintenance is a check of the same service: nothing that we write takes it away, only who has set it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_in_maintenance_stays_there_whatever_is_written() {
    let consul = Consul::start().await.unwrap();
    let maintain = async |enable: bool| {
        let path = format!("/v1/agent/service/maintenance/prod-api:one?enable={enable}");
        consul.api().put(&path, "").await.unwrap();
    };
    let client = dial(&consul, "&ttl=2s").await;
    let one = client.register(instance("one")).await.unwrap();
    maintain(true).await;
    assert_eq!(status(&client, "one").await, Some(Status::Draining));
    // Told anew, stated and stated no more, tied to another check, and written again by the repair.
    one.update(instance("one").to_builder().attribute("zone", "a").build().unwrap()).await.unwrap();
    let draining = instance("one").to_builder().status(Status::Draining).build().unwrap();
    one.update(draining).await.unwrap();
    one.update(instance("one")).await.unwrap();
    let two = client.register(instance("two")).await.unwrap();
    let mine = checks(&consul, "prod-api:one").await;
    assert_eq!(mine.len(), 2, "its own and that of the operator: {mine:?}");
    let own = mine.iter().find(|id| id.starts_with("reception-")).unwrap();
    consul.api().put(&format!("/v1/agent/check/deregister/{own}"), "").await.unwrap();
    eventually(SOON, || async {
        let now = checks(&consul, "prod-api:one").await;
        if now == mine { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await
    .unwrap();
    assert_eq!(status(&client, "one").await, Some(Status::Draining));
    assert_eq!(status(&client, "two").await, Some(Status::Up));
    maintain(false).await;
    assert_eq!(status(&client, "one").await, Some(Status::Up));
    one.close().await.unwrap();
    two.close().await.unwrap();
    assert!(read(&consul, "/v1/agent/checks").await.as_object().unwrap().is_empty());
    client.close().await.unwrap();
}

/// An agent keeps the checks of a service that is written over. One that nobody passes takes down whom it hangs on, and the agent forgets both after a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_over_our_record_is_left_without_our_checks() {
    let consul = Consul::start().await.unwrap();
    let down = instance("two").to_builder().status(Status::Down).build().unwrap();
    for (options, registered) in [
        ("&ttl=2s", vec![instance("one")]),
        ("&ttl=2s", vec![instance("one"), down]),
        ("&check=http&interval=1s", vec![instance("one")]),
        ("&check=none", vec![instance("one")]),
    ] {
        let client = dial(&consul, options).await;
        let mut guards = Vec::new();
        for service in &registered {
            guards.push(client.register(service.clone()).await.unwrap());
        }
        for service in &registered {
            let id = format!("prod-api:{}", service.id());
            let theirs = format!(
                r#"{{"ID":"{id}","Name":"prod-api","Address":"10.0.0.9","Port":81,"Check":{{"CheckID":"theirs-{id}","TTL":"10m","Status":"passing"}}}}"#
            );
            consul.api().put("/v1/agent/service/register", &theirs).await.unwrap();
        }
        for (guard, service) in guards.iter().zip(&registered) {
            let ended = || async {
                match guard.state() {
                    RegistrationState::Ended(why) if why.kind() == ErrorKind::Conflict => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            };
            eventually(SOON, ended).await.unwrap();
            let id = format!("prod-api:{}", service.id());
            assert_eq!(checks(&consul, &id).await, [format!("theirs-{id}")], "{options}");
            consul.api().put(&format!("/v1/agent/service/deregister/{id}"), "").await.unwrap();
        }
        client.close().await.unwrap();
    }
}
