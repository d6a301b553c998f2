//! Serversets as Finagle, the Python library and go.serversets leave them.

use reception_core::{ClientExt, OnConflict, RegisterOptions, Service};
use zookeeper_client as zk;

use super::{Stage, lines, list, program, until, watch};

const FOLDER: &str = "/twitter/prod/web";
const FINAGLE: &[u8] = br#"{"serviceEndpoint":{"host":"10.0.0.7","port":8080},"additionalEndpoints":{"admin":{"host":"10.0.0.7","port":9990}},"status":"ALIVE","shard":0,"metadata":{"zone":"a"}}"#;
const GO: &[u8] =
    br#"{"serviceEndpoint":{"host":"10.0.0.8","port":8080},"additionalEndpoints":{},"status":"ALIVE"}"#;
const PYTHON: &[u8] = br#"{"additionalEndpoints": {}, "serviceEndpoint": {"host": "10.0.0.9", "port": 31000}, "shard": 3, "member_id": 12, "status": "STARTING"}"#;

#[tokio::test]
async fn members_of_other_programs_are_read_with_their_weights() {
    let stage = Stage::new().await;
    stage.put(&format!("{FOLDER}/member_0000000001"), FINAGLE).await;
    stage.put(&format!("{FOLDER}/member_0000000002"), GO).await;
    stage.put(&format!("{FOLDER}/member_0000000003"), PYTHON).await;
    // Not written yet, as go.serversets meets it.
    stage.put(&format!("{FOLDER}/member_0000000004"), b"\x01").await;
    let client = stage.dial("twitter/prod?layout=serverset").await;
    let expected = [
        "member_0000000001 10.0.0.7:8080 Up",
        "member_0000000002 10.0.0.8:8080 Up",
        "member_0000000003 10.0.0.9:31000 Down",
    ];
    let view = list(&client, "web").await;
    assert_eq!((lines(&view), view.unreadable()), (expected.map(str::to_owned).to_vec(), 1));
    assert_eq!(view.get("member_0000000001").unwrap().attribute("endpoint-admin"), Some("10.0.0.7:9990"));
    let mut watcher = watch(&client, "web").await;
    until(&mut watcher, "three and one unread", |view| view.len() == 3 && view.unreadable() == 1).await;
    stage.put(&format!("{FOLDER}/member_0000000004"), GO).await;
    until(&mut watcher, "it is written", |view| view.len() == 4 && view.unreadable() == 0).await;

    let weights = br#"{"vector":[{"select":"shard=0","weight":0.5,"priority":1}]}"#;
    stage.put(&format!("{FOLDER}/vector_0000000001"), weights).await;
    let weight = |view: &reception_core::Snapshot| {
        view.get("member_0000000001")?.attribute("weight").map(str::to_owned)
    };
    until(&mut watcher, "a weight", |view| weight(view).as_deref() == Some("0.5")).await;
    assert_eq!(weight(&list(&client, "web").await).as_deref(), Some("0.5"));
    stage.put(&format!("{FOLDER}/vector_0000000001"), b"no weights").await;
    until(&mut watcher, "no weight", |view| weight(view).is_none() && view.unreadable() == 1).await;
    stage.remove(&format!("{FOLDER}/vector_0000000001")).await;
    until(&mut watcher, "all is read", |view| view.unreadable() == 0).await;
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_member_of_ours_stands_beside_them_where_go_serversets_looks() {
    let stage = Stage::new().await;
    stage.put("/discovery/prod/web/member_0000000077", GO).await;
    let client = stage.dial("prod?layout=discovery").await;
    let service = Service::builder("web", "10.0.0.1", 80).id("ours").attribute("shard", "4").build().unwrap();
    let registration = client.register(service.clone()).await.unwrap();
    let children = stage.other.list_children("/discovery/prod/web").await.unwrap();
    let ours: Vec<_> = children.iter().filter(|child| *child != "member_0000000077").collect();
    let digits = ours[0].strip_prefix("member_").expect("a member");
    assert!(ours.len() == 1 && digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let (data, stat) = stage.other.get_data(&format!("/discovery/prod/web/{}", ours[0])).await.unwrap();
    assert_ne!(stat.ephemeral_owner, 0);
    let expected = r#"{"serviceEndpoint":{"host":"10.0.0.1","port":80},"additionalEndpoints":{},"status":"ALIVE","shard":4,"metadata":{"reception-id":"ours"}}"#;
    assert_eq!(String::from_utf8(data).unwrap(), expected);
    assert_eq!(list(&client, "web").await.get("ours"), Some(&service));
    registration.close().await.unwrap();
    assert_eq!(lines(&list(&client, "web").await), ["member_0000000077 10.0.0.8:8080 Up"]);
    client.close().await.unwrap();
}

#[tokio::test]
async fn an_id_that_another_session_has_is_a_conflict_or_replaced() {
    let stage = Stage::new().await;
    let rival = program(&stage.zookeeper).await;
    let client = stage.dial("prod?layout=serverset").await;
    stage.put("/prod/web/member_0000000000", GO).await;
    let record = String::from_utf8(GO.to_vec()).unwrap();
    let record = record.replace(r#""ALIVE"}"#, r#""ALIVE","metadata":{"reception-id":"ours"}}"#);
    let options = zk::CreateMode::EphemeralSequential.with_acls(zk::Acls::anyone_all());
    let (_, number) = rival.create("/prod/web/member_", record.as_bytes(), &options).await.unwrap();
    let service = Service::builder("web", "10.0.0.1", 80).id("ours").build().unwrap();
    let fail = RegisterOptions::default().on_conflict(OnConflict::Fail);
    let refused = client.register_with(service.clone(), fail).await.unwrap_err();
    assert_eq!(refused.kind(), reception_core::ErrorKind::Conflict);
    let replace = RegisterOptions::default().on_conflict(OnConflict::Replace);
    let registration = client.register_with(service.clone(), replace).await.unwrap();
    assert_eq!(rival.check_stat(&format!("/prod/web/member_{number}")).await.unwrap(), None);
    let view = list(&client, "web").await;
    assert_eq!((view.len(), view.get("ours")), (2, Some(&service)));
    drop(registration);
    client.close().await.unwrap();
}
