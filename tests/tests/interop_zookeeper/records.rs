//! What one side writes the other reads as it was meant.

use reception::{Client, ClientExt as _, ListOptions, Service, ServiceBuilder, Snapshot, Status};
use reception_lab::ZooKeeper;
use reception_tests::{api, dial, patiently};

use crate::{BASE, curator::Curator};

fn instance(id: &str) -> ServiceBuilder {
    Service::builder("api", "10.0.0.7", 8080).id(id)
}

async fn list(client: &dyn Client) -> Snapshot {
    patiently("list", client.list_with(&api(), ListOptions::default().any_status(true))).await.expect("lists")
}

fn attributes(service: &Service) -> Vec<String> {
    service.attributes().map(|(key, value)| format!("{key}={value}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curator_reads_our_instances() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&format!("zk://{}{BASE}", server.endpoint())).await;
    let full = instance("a")
        .attribute("zone", "eu-1a")
        .attribute("note", "a \"b\" \u{e9}\u{1f600}")
        .attribute("ssl-port", "8443")
        .attribute("registered-at", "1700000000000")
        .attribute("uri-spec", "{scheme}://{address}:{ssl-port}/v1");
    let mut guards = Vec::new();
    for each in [full, instance("b"), instance("c").status(Status::Draining)] {
        let registered = client.register(each.build().expect("valid"));
        guards.push(patiently("register", registered).await.expect("registers"));
    }
    let expected = [
        "api a 10.0.0.7 port=8080 ssl=8443 payload=LinkedHashMap{note=a \"b\" \u{e9}\u{1f600}, zone=eu-1a} \
         time=1700000000000 type=DYNAMIC uri=https://10.0.0.7:8443/v1 enabled=true",
        "api b 10.0.0.7 port=8080 ssl=null payload=null time=0 type=DYNAMIC uri= enabled=true",
        "api c 10.0.0.7 port=8080 ssl=null payload=null time=0 type=DYNAMIC uri= enabled=false",
    ];
    for payload in ["map", "object"] {
        let mut curator = Curator::discovery(server.endpoint(), payload).await;
        assert_eq!(curator.tell(&["list", "api"]).await, expected.join(" | "));
        assert_eq!(curator.tell(&["names"]).await, "api");
    }
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_as_the_payload_goes_both_ways() {
    let server = ZooKeeper::start().await.expect("a server");
    let mut curator = Curator::discovery(server.endpoint(), "string").await;
    curator.tell(&["register", "api", "theirs", "h1", "port=80", "text={\"raw\": [1]}"]).await;
    let client = dial(&format!("zk://{}{BASE}?payload=string", server.endpoint())).await;
    let ours = instance("ours").attribute("payload", "blue \"green\"").build().expect("valid");
    let guard = patiently("register", client.register(ours)).await.expect("registers");
    let told = curator.tell(&["list", "api"]).await;
    assert!(told.contains("api ours 10.0.0.7 port=8080 ssl=null payload=String:blue \"green\" "), "{told}");
    let view = list(&*client).await;
    let theirs = view.get("theirs").expect("read");
    assert_eq!(theirs.attribute("payload"), Some("{\"raw\": [1]}"));

    // A reader of maps has the text as it stands in the record.
    let maps = dial(&format!("zk://{}{BASE}", server.endpoint())).await;
    let view = list(&*maps).await;
    assert_eq!(view.get("ours").expect("read").attribute("payload"), Some("\"blue \\\"green\\\"\""));
    patiently("close", guard.close()).await.expect("withdraws");
    client.close().await.expect("closes");
    maps.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_curator_without_payloads_reads_ours_that_have_none() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&format!("zk://{}{BASE}?payload=none", server.endpoint())).await;
    let guard = patiently("register", client.register(instance("a").build().expect("valid"))).await;
    let mut curator = Curator::discovery(server.endpoint(), "none").await;
    let told = curator.tell(&["list", "api"]).await;
    assert!(told.starts_with("api a 10.0.0.7 port=8080 ssl=null payload=null "), "{told}");
    drop(guard);
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_read_the_instances_of_curator() {
    let server = ZooKeeper::start().await.expect("a server");
    let mut curator = Curator::discovery(server.endpoint(), "object").await;
    let uri = "uri={scheme}://{address}:{port}/v1";
    curator.tell(&["register", "api", "a", "h1", "port=80", "ssl=443", uri, "zone=eu-1a", "weight=3"]).await;
    curator.tell(&["register", "api", "b", "h2"]).await;
    curator.tell(&["register", "api", "c", "h3", "port=81", "type=PERMANENT", "number=7"]).await;
    let client = dial(&format!("zk://{}{BASE}", server.endpoint())).await;
    let view = list(&*client).await;
    assert_eq!((view.len(), view.unreadable()), (3, 0));
    assert_eq!(patiently("names", client.names()).await.expect("names"), [api()].into());
    let registered = "registered-at=1700000000000";
    let get = |id: &str| view.get(id).expect("read");
    let port = |id: &str| get(id).port().map(std::num::NonZeroU16::get);
    assert_eq!((get("a").address(), port("a"), get("a").status()), ("h1", Some(80), Status::Up));
    let spec = "uri-spec={scheme}://{address}:{port}/v1";
    assert_eq!(attributes(get("a")), [registered, "ssl-port=443", spec, "weight=3", "zone=eu-1a"]);
    assert_eq!((get("b").address(), port("b")), ("h2", None));
    assert_eq!(attributes(get("b")), [registered]);
    assert_eq!(attributes(get("c")), ["payload=[\"java.lang.Long\",7]", registered]);
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_curator_disabled_is_draining() {
    let server = ZooKeeper::start().await.expect("a server");
    let mut curator = Curator::start(server.endpoint()).await;
    curator.tell(&["discovery", BASE, "map", "modern"]).await;
    curator.tell(&["register", "api", "off", "h1", "port=80", "enabled=false"]).await;
    curator.tell(&["register", "api", "on", "h1", "port=80"]).await;
    let client = dial(&format!("zk://{}{BASE}", server.endpoint())).await;
    let view = list(&*client).await;
    let statuses: Vec<_> = view.iter().map(|each| (each.id().as_ref(), each.status())).collect();
    assert_eq!(statuses, [("off", Status::Draining), ("on", Status::Up)]);
    let up = patiently("list", client.list(&api())).await.expect("lists");
    assert_eq!(up.iter().map(|each| each.id().as_ref()).collect::<Vec<_>>(), ["on"]);
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_that_are_no_instances_are_counted_and_hide_nothing() {
    let server = ZooKeeper::start().await.expect("a server");
    let mut curator = Curator::discovery(server.endpoint(), "map").await;
    curator.tell(&["register", "api", "good", "h1", "port=80"]).await;
    for (id, data) in [("empty", ""), ("ip", "10.0.0.7"), ("no-address", "{\"port\":80}")] {
        curator.tell(&["put", &format!("{BASE}/api/{id}"), data]).await;
    }
    let client = dial(&format!("zk://{}{BASE}", server.endpoint())).await;
    let view = list(&*client).await;
    assert_eq!((view.len(), view.unreadable()), (1, 3));
    assert!(view.get("good").is_some());
    client.close().await.expect("closes");
}
