use std::time::Duration;

use reception_core::{Client as _, ClientExt as _, Dialer, ErrorKind, Service};
use reception_memory::{BACKEND, Cluster, Options};

async fn refusal(url: &str) -> String {
    let error = Dialer::new().with(BACKEND).unwrap().dial(url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_name_is_shared_inside_the_process_and_a_path_parts_it() {
    let dialer = Dialer::new().with(BACKEND).unwrap();
    let api = Service::new("api", "10.0.0.7", 8080).unwrap();
    let one = dialer.dial("memory://shared-by-name/prod").await.unwrap();
    let same = dialer.dial("memory://shared-by-name/prod/").await.unwrap();
    let apart = dialer.dial("memory://shared-by-name/test").await.unwrap();
    let _registration = one.register(api).await.unwrap();
    let name = "api".parse().unwrap();
    assert_eq!(same.list(&name).await.unwrap().len(), 1);
    assert_eq!(apart.list(&name).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_store_without_a_name_is_private() {
    let dialer = Dialer::new().with(BACKEND).unwrap();
    let (one, other) = (dialer.dial("memory:").await.unwrap(), dialer.dial("memory:").await.unwrap());
    let _registration = one.register(Service::new("api", "10.0.0.7", 8080).unwrap()).await.unwrap();
    assert!(other.names().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_name_dies_with_its_last_user() {
    let api = Service::new("api", "10.0.0.7", 8080).unwrap();
    Cluster::named("short-lived").write("", &api).unwrap();
    let client = reception_memory::dial(Options::default().name("short-lived")).await.unwrap();
    assert!(client.names().await.unwrap().is_empty(), "the first store ended with its only handle");
    Cluster::named("short-lived").write("", &api).unwrap();
    assert_eq!(client.names().await.unwrap().len(), 1);
    client.close().await.unwrap();
}

#[tokio::test]
async fn wrong_urls_are_refused() {
    assert!(refusal("memory://one,two").await.contains("not several"));
    assert!(refusal("memory://user@one").await.contains("no user"));
    assert!(refusal("memory://one/..").await.contains("namespace"));
    assert!(refusal("memory://one?tll=3s").await.contains("did you mean \"ttl\""));
    assert!(refusal("memory://one?ttl=1ms").await.contains("the least"));
    assert!(refusal("memory://one:80").await.contains("name of a store"));
}

#[tokio::test]
async fn options_stand_in_the_url() {
    let options =
        Options::from_url(&"memory://orders/prod/eu?ttl=3s&timeout=500ms".parse().unwrap()).unwrap();
    let expected = Options::default().name("orders").namespace("prod/eu").ttl(Duration::from_secs(3));
    assert_eq!(options, expected.timeout(Duration::from_millis(500)));
    assert_eq!(Options::from_url(&"memory:".parse().unwrap()).unwrap(), Options::default());
}

#[test]
fn a_client_outside_a_runtime_is_refused() {
    let error = Cluster::new().client(Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}

#[tokio::test]
async fn a_probe_tells_the_store_and_the_lease() {
    let client = reception_memory::dial(Options::default().name("probed")).await.unwrap();
    let probe = client.probe().await.unwrap();
    assert_eq!(probe.endpoints[0].address, "memory://probed");
    assert_eq!(probe.lease, Some(Duration::from_secs(10)));
    assert_eq!(probe.server.as_deref(), Some("memory"));
}
