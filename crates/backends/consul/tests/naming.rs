//! Names: what a namespace is for other programs, what `names` tells, and what DNS does.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, Dialer, ListOptions, Service, Status};
use reception_lab::{Consul, ConsulOptions, dns_addresses, dns_services, eventually};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

async fn dial(consul: &Consul, path: &str) -> Arc<dyn Client> {
    let url = format!("consul://{}{path}", consul.endpoint());
    Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap()
}

fn named(name: &str, id: &str) -> Service {
    Service::builder(name, "10.0.0.7", 8080).id(id).build().unwrap()
}

async fn names(client: &Arc<dyn Client>) -> Vec<String> {
    client.names().await.unwrap().iter().map(ToString::to_string).collect()
}

async fn ids(client: &Arc<dyn Client>, name: &str) -> Vec<String> {
    let view =
        client.list_with(&name.parse().unwrap(), ListOptions::default().any_status(true)).await.unwrap();
    view.iter().map(|service| service.id().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_is_what_names_begin_with_and_hides_what_is_anothers() {
    let consul = Consul::start().await.unwrap();
    let (eu, dashed, other) =
        (dial(&consul, "/eu/prod").await, dial(&consul, "/eu-prod").await, dial(&consul, "/us/prod").await);
    let native = dial(&consul, "").await;
    let first = eu.register(named("api", "one")).await.unwrap();
    let second = eu.register(named("web-front", "two")).await.unwrap();
    let elsewhere = other.register(named("mail", "three")).await.unwrap();
    let plain = native.register(named("shop", "four")).await.unwrap();
    let body = r#"{"Name":"eu-prod-legacy","ID":"legacy-1","Address":"10.0.0.9","Port":90}"#;
    consul.api().put("/v1/agent/service/register", body).await.unwrap();

    // Another program's service that begins like ours is in the namespace; what is of other namespaces is not.
    assert_eq!(names(&eu).await, ["api", "legacy", "web-front"]);
    assert_eq!(names(&other).await, ["mail"]);
    // Without a namespace everything shows as it is called, but for what carries our own checks.
    assert_eq!(
        names(&native).await,
        ["consul", "eu-prod-api", "eu-prod-legacy", "eu-prod-web-front", "shop", "us-prod-mail"]
    );
    assert_eq!(
        (ids(&eu, "api").await, ids(&eu, "legacy").await),
        (vec!["one".into()], vec!["legacy-1".into()])
    );

    // Names do not tell the namespace, records do: this one begins alike, and is shown none of them.
    assert_eq!(names(&dashed).await, ["api", "legacy", "web-front"]);
    assert_eq!((ids(&dashed, "api").await, ids(&dashed, "legacy").await), (vec![], vec!["legacy-1".into()]));
    assert!(ids(&native, "eu-prod-api").await.is_empty());
    let twin = dashed.register(named("api", "twin")).await.unwrap();
    assert_eq!((ids(&dashed, "api").await, ids(&eu, "api").await), (vec!["twin".into()], vec!["one".into()]));

    // For other programs it is a service like any other.
    let told = consul.api().get("/v1/health/service/eu-prod-api?passing").await.unwrap().body;
    let rows: Vec<Value> = serde_json::from_str(&told).unwrap();
    let seen: BTreeSet<&str> = rows.iter().map(|row| row["Service"]["ID"].as_str().unwrap()).collect();
    assert_eq!(seen, BTreeSet::from(["eu-prod-api:one", "eu-prod-api:twin"]));

    for registration in [first, second, elsewhere, plain, twin] {
        registration.close().await.unwrap();
    }
    assert_eq!(names(&eu).await, ["legacy"]);
    for client in [eu, dashed, other, native] {
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_one_service_is_free_in_another() {
    let consul = Consul::start().await.unwrap();
    let client = dial(&consul, "/prod").await;
    let first = client.register(named("api", "one")).await.unwrap();
    let second = client.register(named("web", "one")).await.unwrap();
    assert_eq!(
        (ids(&client, "api").await, ids(&client, "web").await),
        (vec!["one".into()], vec!["one".into()])
    );
    first.close().await.unwrap();
    assert_eq!((ids(&client, "api").await, ids(&client, "web").await), (vec![], vec!["one".into()]));
    second.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dns_tells_what_is_up_by_service_and_tag() {
    let consul = Consul::start_with(ConsulOptions::default().dns(true)).await.unwrap();
    let client = dial(&consul, "/prod").await;
    let up = named("api", "one").to_builder().attribute("tags", "v2,green").build().unwrap();
    let first = client.register(up.clone()).await.unwrap();
    let draining =
        Service::builder("api", "10.0.0.8", 8080).id("two").status(Status::Draining).build().unwrap();
    let second = client.register(draining).await.unwrap();
    let told = |name: &'static str, wanted: Vec<Ipv4Addr>| {
        let dns = consul.dns();
        eventually(SOON, move || {
            let wanted = wanted.clone();
            async move {
                match dns_addresses(dns, name).await {
                    Ok(found) if found == wanted => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            }
        })
    };
    let one = vec![Ipv4Addr::new(10, 0, 0, 7)];
    told("prod-api.service.consul", one.clone()).await.unwrap();
    told("green.prod-api.service.consul", one).await.unwrap();
    first.update(up.to_builder().status(Status::Draining).build().unwrap()).await.unwrap();
    told("prod-api.service.consul", Vec::new()).await.unwrap();
    second.close().await.unwrap();
    first.close().await.unwrap();
    client.close().await.unwrap();
}

/// The attribute `weight` is the share that DNS gives an instance; without one it is 1, as of any service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dns_tells_weight_and_port() {
    let consul = Consul::start_with(ConsulOptions::default().dns(true)).await.unwrap();
    let client = dial(&consul, "/prod").await;
    let heavy = named("api", "heavy").to_builder().attribute("weight", "7").build().unwrap();
    let light = Service::builder("api", "10.0.0.8", 8081).id("light").build().unwrap();
    let heavy_one = client.register(heavy.clone()).await.unwrap();
    let light_one = client.register(light).await.unwrap();
    let told = |wanted: [(u16, u16); 2]| {
        let dns = consul.dns();
        eventually(SOON, move || async move {
            let found = dns_services(dns, "prod-api.service.consul").await;
            let found = found.map_err(|error| error.to_string())?;
            let seen: Vec<_> = found.iter().map(|service| (service.weight, service.port)).collect();
            if seen == wanted { Ok(()) } else { Err(format!("{found:?}")) }
        })
    };
    told([(1, 8081), (7, 8080)]).await.unwrap();
    heavy_one.update(heavy.to_builder().attribute("weight", "9").build().unwrap()).await.unwrap();
    told([(1, 8081), (9, 8080)]).await.unwrap();
    light_one.close().await.unwrap();
    heavy_one.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_program_calls_like_ours_does_not_take_its_id() {
    let consul = Consul::start().await.unwrap();
    let client = dial(&consul, "/prod").await;
    let ours = client.register(named("api", "one")).await.unwrap();
    let theirs = r#"{"Name":"prod-api","ID":"one","Address":"10.0.0.9","Port":90}"#;
    consul.api().put("/v1/agent/service/register", theirs).await.unwrap();
    for reader in [&client, &dial(&consul, "/prod").await] {
        let view = reader.list(&"api".parse().unwrap()).await.unwrap();
        let told: Vec<_> = view.iter().map(|service| (service.id().to_string(), service.address())).collect();
        assert_eq!(view.len(), 2, "{told:?}");
        assert_eq!(view.get("one").map(Service::address), Some("10.0.0.7"), "{told:?}");
        assert!(told.iter().any(|(id, at)| id.starts_with("one@") && *at == "10.0.0.9"), "{told:?}");
    }
    // At another node the same two, none of which is hidden.
    for (id, meta) in [("one", "{}"), ("prod-api:one", r#"{"reception-namespace":"prod"}"#)] {
        let body = format!(
            r#"{{"Node":"elsewhere","Address":"10.0.0.9","Service":{{"ID":"{id}","Service":"prod-api","Port":80,"Meta":{meta}}}}}"#
        );
        consul.api().put("/v1/catalog/register", &body).await.unwrap();
    }
    let all = ids(&client, "api").await;
    assert_eq!(all, ["one", "one@elsewhere", "one@elsewhere@2", "one@lab"]);
    ours.close().await.unwrap();
    client.close().await.unwrap();
}
