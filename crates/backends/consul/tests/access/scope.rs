//! Datacenters, and what only the enterprise version knows.

use std::time::Duration;

use futures_util::StreamExt;
use reception_consul::Options;
use reception_core::{Change, ClientExt, ErrorKind};
use reception_lab::{Consul, ConsulOptions, Proxy, ProxyOptions, eventually};

use super::{SOON, api, dial, one};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namespace_and_partition_of_the_enterprise_version_are_sent_when_they_are_set() {
    let consul = Consul::start().await.unwrap();
    let proxy = Proxy::start_with(consul.endpoint(), ProxyOptions::default().http1(true)).await.unwrap();
    let options = || Options::new([proxy.endpoint().to_string()]);
    let plain = reception_consul::dial(options()).await.unwrap();
    plain.list(&api()).await.unwrap();
    let set = |asked: &str| asked.contains("ns=") || asked.contains("partition=") || asked.contains("dc=");
    assert!(!proxy.asked().iter().any(|asked| set(asked)), "{:?}", proxy.asked());
    plain.close().await.unwrap();

    let options = options().enterprise(Some("team".to_owned()), Some("west".to_owned()));
    let client = reception_consul::dial(options).await.unwrap();
    // The version that we have knows no namespaces and says so, but it was asked.
    let error = client.list(&api()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("Enterprise"), "{error}");
    client.register(one()).await.unwrap_err();
    let asked = proxy.asked();
    let asked: Vec<_> = asked.iter().filter(|asked| set(asked)).collect();
    assert!(
        asked.iter().all(|asked| asked.contains("ns=team") && asked.contains("partition=west")),
        "{asked:?}"
    );
    assert!(asked.len() >= 2, "{asked:?}");
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_datacenter_is_read_and_not_written() {
    let east = Consul::start_with(ConsulOptions::default().datacenter("east")).await.unwrap();
    let west = ConsulOptions::default().datacenter("west").beside(east.wide_gossip());
    let west = Consul::start_with(west).await.unwrap();
    let there = dial(west.endpoint(), "").await.unwrap();
    let registration = there.register(one()).await.unwrap();
    let leadership = there.elector(&"reaper".parse().unwrap()).await.unwrap().elect(one()).await.unwrap();

    let client = dial(east.endpoint(), "&datacenter=west").await.unwrap();
    eventually(SOON, || async {
        match client.list(&api()).await {
            Ok(view) if view.len() == 1 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    assert!(client.names().await.unwrap().contains(&api()));
    let mut watcher = client.watch(&api()).await.unwrap();
    let shown = tokio::time::timeout(SOON, watcher.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(&shown, Change::Reset(view) if view.len() == 1), "{shown:?}");
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    assert!(elector.leader().await.unwrap().is_some());
    for error in [
        client.register(one()).await.unwrap_err(),
        tokio::time::timeout(SOON, elector.elect(one())).await.expect("an answer in time").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("datacenter") && error.to_string().contains("east"), "{error}");
    }
    assert_eq!(east.api().get("/v1/agent/services").await.unwrap().body.trim(), "{}", "nothing was written");
    leadership.resign().await.unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
    there.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_datacenter_that_is_not_there_is_told() {
    let consul = Consul::start().await.unwrap();
    let here = dial(consul.endpoint(), "&datacenter=dc1").await.unwrap();
    let registration = here.register(one()).await.unwrap();
    assert_eq!(here.list(&api()).await.unwrap().len(), 1);
    registration.close().await.unwrap();
    here.close().await.unwrap();
    let nowhere = dial(consul.endpoint(), "&datacenter=atlantis").await.unwrap();
    let answer = tokio::time::timeout(SOON, nowhere.list(&api())).await.expect("an answer in time");
    let error = answer.unwrap_err();
    assert!(error.to_string().contains("datacenter"), "{error}");
    let error = nowhere.register(one()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let error = nowhere.probe().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("dc1"), "{error}");
    nowhere.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_tells_of_needless_tokens_and_of_checks_that_nobody_makes() {
    let consul = Consul::start().await.unwrap();
    let plain = dial(consul.endpoint(), "").await.unwrap();
    let probe = plain.probe().await.unwrap();
    assert_eq!((probe.identity, probe.lease), (None, Some(Duration::from_secs(10))));
    plain.close().await.unwrap();
    let client = dial(consul.endpoint(), "&token=needless&check=none").await.unwrap();
    let probe = client.probe().await.unwrap();
    assert!(probe.identity.is_some_and(|identity| identity.contains("none is asked for")));
    assert_eq!((probe.lease, client.capabilities().crash_bound), (None, Duration::MAX));
    client.close().await.unwrap();
}
