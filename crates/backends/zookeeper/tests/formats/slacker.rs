//! A slacker cluster as its servers leave it.

use std::{future::poll_fn, pin::Pin};

use futures_util::Stream;
use reception_core::{ClientExt, ErrorKind, Observation, Service};

use super::{SOON, Stage, lines, list, name, until, watch};

const CLUSTER: &str = "/slacker/cluster/prod";

#[tokio::test]
async fn servers_and_namespaces_are_read_with_their_data() {
    let stage = Stage::new().await;
    stage.put(&format!("{CLUSTER}/servers/10.0.0.7:2104"), br#"{:weight 3, :zone "a"}"#).await;
    stage.put(&format!("{CLUSTER}/servers/10.0.0.8:2104"), b"nil").await;
    stage.put(&format!("{CLUSTER}/servers/10.0.0.9:2104"), b"nil").await;
    for server in ["10.0.0.7:2104", "10.0.0.8:2104"] {
        stage.put(&format!("{CLUSTER}/namespaces/slacker.example.api/{server}"), b"").await;
    }
    stage.put(&format!("{CLUSTER}/namespaces/slacker.example.api/_leader"), b"").await;
    stage.put(&format!("{CLUSTER}/functions/slacker.example.api/echo"), b"{:name echo}").await;
    let client = stage.dial("prod?layout=slacker").await;
    let names = client.names().await.unwrap();
    assert_eq!(names.iter().collect::<Vec<_>>(), [&name("slacker.example.api")]);
    let mut watcher = watch(&client, "slacker.example.api").await;
    until(&mut watcher, "two", |view| view.len() == 2).await;
    let view = list(&client, "slacker.example.api").await;
    assert_eq!(lines(&view), ["10.0.0.7:2104 10.0.0.7:2104 Up", "10.0.0.8:2104 10.0.0.8:2104 Up"]);
    assert_eq!(view.unreadable(), 0);
    let data = |view: &reception_core::Snapshot, id: &str| {
        view.get(id).and_then(|service| service.attribute("server-data").map(str::to_owned))
    };
    assert_eq!(data(&view, "10.0.0.7:2104").as_deref(), Some(r#"{:weight 3, :zone "a"}"#));
    assert_eq!(data(&view, "10.0.0.8:2104"), None);
    assert_eq!(list(&client, "_servers").await.len(), 3);

    // Its data, coming online and going offline: all are seen.
    stage.put(&format!("{CLUSTER}/servers/10.0.0.8:2104"), b"{:weight 1}").await;
    until(&mut watcher, "new data", |view| data(view, "10.0.0.8:2104").as_deref() == Some("{:weight 1}"))
        .await;
    stage.put(&format!("{CLUSTER}/namespaces/slacker.example.api/10.0.0.9:2104"), b"").await;
    until(&mut watcher, "online", |view| view.len() == 3).await;
    stage.remove(&format!("{CLUSTER}/namespaces/slacker.example.api/10.0.0.7:2104")).await;
    until(&mut watcher, "offline", |view| view.get("10.0.0.7:2104").is_none()).await;
    client.close().await.unwrap();
}

#[tokio::test]
async fn the_leader_of_a_namespace_is_read_and_followed() {
    let stage = Stage::new().await;
    let folder = format!("{CLUSTER}/namespaces/api");
    for server in ["10.0.0.7:2104", "10.0.0.8:2104"] {
        stage.put(&format!("{CLUSTER}/servers/{server}"), b"nil").await;
        stage.put(&format!("{folder}/{server}"), b"").await;
    }
    let client = stage.dial("prod?layout=slacker").await;
    let elector = client.elector(&"api".parse().unwrap()).await.unwrap();
    assert!(elector.leader().await.unwrap().is_none());
    let mut observed = elector.observe().await.unwrap();
    let mut next = async || {
        let item = tokio::time::timeout(SOON, poll_fn(|cx| Pin::new(&mut observed).poll_next(cx))).await;
        match item.expect("in time").expect("it goes on").expect("it is well") {
            Observation::Leader(leader) => Some(String::from_utf8(leader.value().to_vec()).unwrap()),
            _ => None,
        }
    };
    assert_eq!(next().await, None);
    stage.put(&format!("{folder}/_leader"), b"").await;
    stage.put(&format!("{folder}/_leader"), b"10.0.0.7:2104").await;
    while next().await.as_deref() != Some("10.0.0.7:2104") {}
    let leader = elector.leader().await.unwrap().unwrap();
    assert_eq!(leader.service().map(Service::address), Some("10.0.0.7"));
    // The node outlives the leader.
    stage.remove(&format!("{folder}/10.0.0.7:2104")).await;
    while next().await.is_some() {}
    assert!(elector.leader().await.unwrap().is_none());
    stage.put(&format!("{folder}/_leader"), b"10.0.0.8:2104").await;
    while next().await.as_deref() != Some("10.0.0.8:2104") {}
    client.close().await.unwrap();
}

#[tokio::test]
async fn what_would_write_says_that_it_is_not_supported() {
    let stage = Stage::new().await;
    let client = stage.dial("prod?layout=slacker").await;
    let service = Service::new("api", "10.0.0.7", 2104).unwrap();
    let refused = client.register(service.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("layout=slacker is read only"), "{refused}");
    let elector = client.elector(&"api".parse().unwrap()).await.unwrap();
    assert_eq!(elector.elect(service).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(elector.candidates().await.unwrap_err().kind(), ErrorKind::Unsupported);
    client.close().await.unwrap();
}
