//! `layout=reception` beside what the Go library of this name writes and reads.

use std::time::Duration;

use reception_core::{
    ClientExt, Dialer, ErrorKind, ListOptions, OnConflict, RegisterOptions, Service, ServiceName,
};
use reception_lab::{Consul, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_go_library_and_ours_see_each_other() {
    let consul = Consul::start().await.unwrap();
    let dialer = Dialer::new().with(reception_consul::BACKEND).unwrap();
    let client = dialer.dial(&format!("consul://{}?layout=reception", consul.endpoint())).await.unwrap();
    // As Go registers, but for the agent's question to its health server, which nobody answers here.
    let go = r#"{"ID":"7f2c","Name":"api","Address":"h1.example","Port":23423,"Tags":["{\"external\":\"true\"}"],
        "Check":{"TTL":"60s","Status":"passing","DeregisterCriticalServiceAfter":"30s"}}"#;
    consul.api().put("/v1/agent/service/register", go).await.unwrap();
    let ours = Service::builder("api", "10.0.0.7", 8080).id("i-1").attribute("zone", "a<b").build().unwrap();
    let registration = client.register(ours.clone()).await.unwrap();

    let name: ServiceName = "api".parse().unwrap();
    let view = client.list(&name).await.unwrap();
    let told: Vec<String> = view
        .iter()
        .map(|one| format!("{} {} {:?}", one.id(), one.address(), one.attribute("external")))
        .collect();
    assert_eq!(told, ["7f2c h1.example Some(\"true\")", "i-1 10.0.0.7 None"]);
    assert_eq!(view.get("i-1"), Some(&ours));

    // As Go lists.
    let rows: Vec<Value> =
        serde_json::from_str(&consul.api().get("/v1/catalog/service/api").await.unwrap().body).unwrap();
    let row = rows.iter().find(|row| row["ServiceID"] == "i-1").unwrap();
    assert_eq!((row["ServiceAddress"].as_str(), row["ServicePort"].as_u64()), (Some("10.0.0.7"), Some(8080)));
    assert_eq!(row["ServiceTags"][0], r#"{"zone":"a\u003cb"}"#);

    // An agent has one of each id, whatever the service: what is Go's is not taken.
    let at_once = RegisterOptions::default().on_conflict(OnConflict::Fail);
    let taken = Service::builder("web", "10.0.0.7", 8080).id("7f2c").build().unwrap();
    assert_eq!(client.register_with(taken, at_once).await.unwrap_err().kind(), ErrorKind::Conflict);
    // And what another program registers without attributes hides nothing else.
    let bare = r#"{"ID":"bare","Name":"api","Port":1,"Tags":["v2"]}"#;
    consul.api().put("/v1/agent/service/register", bare).await.unwrap();
    eventually(SOON, || async {
        let view = client.list_with(&name, ListOptions::default().any_status(true)).await;
        let view = view.map_err(|error| error.to_string())?;
        if (view.len(), view.unreadable()) == (2, 1) { Ok(()) } else { Err(format!("{view:?}")) }
    })
    .await
    .unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

/// Its servers' own service is in the catalog alone: an agent would write over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_own_service_is_not_written_over() {
    let consul = Consul::start().await.unwrap();
    let url = format!("consul://{}?layout=reception", consul.endpoint());
    let client = Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap();
    let instance = Service::builder("api", "10.0.0.7", 80).id("consul").build().unwrap();
    let refused = client.register(instance).await.unwrap_err();
    assert_eq!(refused.kind(), reception_core::ErrorKind::InvalidInstance, "{refused}");
    assert_eq!(consul.api().get("/v1/agent/services").await.unwrap().body.trim(), "{}");
    client.close().await.unwrap();
}
