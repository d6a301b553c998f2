//! The Consul of the lab, on a real agent.

use std::time::Duration;

use reception_lab::{Consul, ConsulApi, ConsulOptions, Proxy, ProxyOptions, dns_addresses, eventually};

const TOKEN: &str = "6f0f5c6e-90a1-4f45-8a0e-0b6f3c1c7f11";

async fn value(consul: &Consul) -> String {
    consul
        .api()
        .get("/v1/kv/greeting?raw")
        .await
        .map(|answer| answer.body)
        .unwrap_or_else(|error| error.to_string())
}

#[tokio::test]
async fn in_memory_it_forgets_at_a_restart() {
    let consul = Consul::start().await.unwrap();
    assert!(consul.version().unwrap().starts_with("1."));
    consul.api().put("/v1/kv/greeting", "hello").await.unwrap();
    assert_eq!(value(&consul).await, "hello");
    consul.pause().unwrap();
    consul.resume().unwrap();
    consul.kill();
    assert!(consul.api().get("/v1/status/leader").await.is_err());
    consul.restart().await.unwrap();
    assert_eq!(value(&consul).await, "");
}

#[tokio::test]
async fn with_data_it_keeps_keys_and_services_until_it_is_wiped() {
    let consul = Consul::start_with(ConsulOptions::default().durable(true)).await.unwrap();
    consul.api().put("/v1/kv/greeting", "hello").await.unwrap();
    consul.api().put("/v1/agent/service/register", r#"{"Name":"api","ID":"a-1"}"#).await.unwrap();
    consul.restart().await.unwrap();
    assert_eq!(value(&consul).await, "hello");
    assert!(consul.api().get("/v1/agent/services").await.unwrap().body.contains("a-1"));
    consul.wipe().await.unwrap();
    assert_eq!(value(&consul).await, "");
    assert!(!consul.api().get("/v1/agent/services").await.unwrap().body.contains("a-1"));
}

#[tokio::test]
async fn with_a_token_it_turns_away_who_shows_none() {
    let consul = Consul::start_with(ConsulOptions::default().token(TOKEN)).await.unwrap();
    consul.api().put("/v1/kv/greeting", "hello").await.unwrap();
    let stranger = ConsulApi::new(consul.endpoint());
    assert_eq!(stranger.ask("PUT", "/v1/kv/greeting", "bye").await.unwrap().status, 403);
    assert_eq!(value(&consul).await, "hello");
}

#[tokio::test]
async fn its_own_lock_runs_a_command_and_a_proxy_tells_what_it_asked() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start_with(consul.endpoint(), ProxyOptions::default().http1(true)).await.unwrap();
    let mut lock = consul.command(proxy.endpoint(), &["lock", "jobs", "echo leading; sleep 60"]).unwrap();
    assert_eq!(lock.line(Duration::from_secs(20)).await.unwrap(), "leading");
    let asked = proxy.asked();
    assert!(asked.iter().any(|asked| asked.starts_with("PUT /v1/kv/jobs/.lock?")), "{asked:?}");
    assert!(proxy.counts().requests >= asked.len() as u64);
    eventually(Duration::from_secs(20), || async {
        let held = proxy
            .waiting()
            .iter()
            .any(|asked| asked.contains("/v1/kv/jobs/.lock?") && asked.contains("index="));
        if held { Ok(()) } else { Err(format!("{:?}", proxy.waiting())) }
    })
    .await
    .unwrap();
    lock.kill();
    eventually(Duration::from_secs(20), || async {
        let counts = consul.counts().await.map_err(|error| error.to_string())?;
        if counts.keys().any(|name| name.contains("kvs")) { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_agent_joins_a_server_and_answers_dns_of_both() {
    let server = Consul::start().await.unwrap();
    let options = ConsulOptions::default().node("second").agent_of(server.gossip()).dns(true);
    let agent = Consul::start_with(options).await.unwrap();
    agent.api().put("/v1/agent/service/register", r#"{"Name":"api","ID":"a-1","Port":80}"#).await.unwrap();
    eventually(Duration::from_secs(20), || async {
        let told = server.api().get("/v1/catalog/service/api").await.map_err(|error| error.to_string())?;
        if told.body.contains("\"second\"") { Ok(()) } else { Err(told.body) }
    })
    .await
    .unwrap();
    let found = dns_addresses(agent.dns(), "api.service.consul").await.unwrap();
    assert_eq!(found, ["127.0.0.1".parse::<std::net::Ipv4Addr>().unwrap()]);
    assert!(dns_addresses(agent.dns(), "other.service.consul").await.unwrap().is_empty());
}

#[tokio::test]
async fn two_datacenters_know_each_other() {
    let first = Consul::start_with(ConsulOptions::default().datacenter("east")).await.unwrap();
    let options = ConsulOptions::default().datacenter("west").beside(first.wide_gossip());
    let second = Consul::start_with(options).await.unwrap();
    second.api().put("/v1/kv/greeting", "hello").await.unwrap();
    eventually(Duration::from_secs(20), || async {
        let told = first.api().get("/v1/kv/greeting?raw&dc=west").await.map_err(|error| error.to_string())?;
        if told.body == "hello" { Ok(()) } else { Err(told.body) }
    })
    .await
    .unwrap();
}
