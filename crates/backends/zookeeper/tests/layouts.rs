//! A layout of a user's own, on a real server.

use std::{future::poll_fn, pin::Pin, time::Duration};

use reception_core::{Change, Client, ClientExt, Error, ErrorKind, Result, Service, ServiceId, ServiceName};
use reception_lab::ZooKeeper;
use reception_zookeeper::{Layout, Options};
use zookeeper_client as zk;

const SOON: Duration = Duration::from_secs(20);

/// The address and the port as text, under a folder for each team.
#[derive(Debug)]
struct Plain;

impl Layout for Plain {
    fn base(&self, path: &str) -> String {
        format!("/teams/{path}/hosts")
    }

    fn encode(&self, service: &Service) -> Result<Vec<u8>> {
        let port = service.port().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInstance, "plain", "encode", "an instance without a port")
        })?;
        Ok(format!("{}:{port}", service.address()).into_bytes())
    }

    fn decode(&self, name: &ServiceName, id: &ServiceId, record: &[u8]) -> Result<Service> {
        let wrong = || Error::new(ErrorKind::Protocol, "plain", "decode", "not of the form host:port");
        let text = std::str::from_utf8(record).map_err(|_| wrong())?;
        let (address, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        // One who decodes an instance that is not the one that was asked for.
        let id = if text.starts_with("liar") { ServiceId::foreign("another")? } else { id.clone() };
        Service::builder_of(name, &id, address, port.parse().map_err(|_| wrong())?).build_foreign()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_of_ones_own_says_where_instances_stand_and_what_they_look_like() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let options = Options::new([zookeeper.endpoint().to_string()]).namespace("search").layout(Plain);
    let client = reception_zookeeper::dial(options).await.unwrap();
    let api = ServiceName::new("api").unwrap();
    let one = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let registration = client.register(one.clone()).await.unwrap();
    let direct = zk::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let (record, _) = direct.get_data("/teams/search/hosts/api/one").await.unwrap();
    assert_eq!(record, b"10.0.0.7:8080");

    let persistent = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    for (child, record) in [("two", "10.0.0.8:80"), ("three", "nonsense"), ("four", "liar:80")] {
        let path = format!("/teams/search/hosts/api/{child}");
        direct.create(&path, record.as_bytes(), &persistent).await.unwrap();
    }
    let all = client.list(&api).await.unwrap();
    let ids: Vec<_> = all.iter().map(|service| service.id().as_str()).collect();
    assert_eq!((ids, all.unreadable()), (vec!["one", "two"], 2));
    let mut watcher = client.watch(&api).await.unwrap();
    let first = tokio::time::timeout(SOON, poll_fn(|cx| Pin::new(&mut *watcher).poll_next(cx)));
    assert!(matches!(first.await.unwrap(), Some(Ok(Change::Reset(_)))));
    assert_eq!(watcher.current().unwrap().unreadable(), 2);
    assert_eq!(watcher.current().unwrap().get("one"), Some(&one));

    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(one).await.unwrap();
    assert!(direct.check_stat("/search-elections/.domain").await.unwrap().is_some());
    leadership.resign().await.unwrap();
    registration.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_names_no_node_is_refused_whatever_the_layout_takes() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let options = Options::new([zookeeper.endpoint().to_string()]).namespace("search").layout(Plain);
    let client = reception_zookeeper::dial(options).await.unwrap();
    for odd in ["a/b", "..", ".", "/", "a/../../b", "a\u{e000}b", "\u{fffd}"] {
        let name = ServiceName::foreign(odd).unwrap();
        let listed = client.list(&name).await.unwrap_err();
        assert_eq!(listed.kind(), ErrorKind::InvalidName, "{odd:?}: {listed}");
        let watched = client.watch(&name).await.unwrap_err();
        assert_eq!(watched.kind(), ErrorKind::InvalidName, "{odd:?}: {watched}");
        let id = ServiceId::foreign(odd).unwrap();
        let service = Service::builder_of(&ServiceName::new("api").unwrap(), &id, "h1", 80).build_foreign();
        let registered = client.register(service.unwrap()).await.unwrap_err();
        assert_eq!(registered.kind(), ErrorKind::InvalidName, "{odd:?}: {registered}");
    }
    // What another program may write can be read.
    assert!(client.list(&ServiceName::foreign("web 2%2f:\u{e9}").unwrap()).await.unwrap().is_empty());
    client.close().await.unwrap();
}
