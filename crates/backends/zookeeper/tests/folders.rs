//! Folders that the server sweeps away as soon as they are empty.

use std::time::Duration;

use reception_core::{Client, ClientExt, Dialer, Service, ServiceName};
use reception_lab::{Flow, Proxy, ProxyOptions, Way, ZooKeeper, ZooKeeperOptions};
use zookeeper_client as zk;

const ROUNDS: usize = 50;
/// So long is a request on its way: between the making of a folder and of what is put in it the server looks for empty ones, about every fifth
/// time. By chance, so that the two do not keep step.
const LATE: Flow = Flow::Delay { base: Duration::from_millis(5), jitter: Duration::from_millis(30) };
/// A create with its look, the folder, and both again.
const UNSWEPT: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_swept_away_before_anything_is_in_it_is_made_again() {
    let sweeper = ZooKeeperOptions::default()
        .property("znode.container.checkIntervalMs=100")
        .property("znode.container.maxNeverUsedIntervalMs=1");
    let zookeeper = ZooKeeper::start_with(sweeper).await.unwrap();
    let proxy = Proxy::start_with(zookeeper.endpoint(), ProxyOptions::default().jute(true)).await.unwrap();
    let direct = zk::Client::connect(&zookeeper.endpoint().to_string()).await.unwrap();
    let open = zk::CreateMode::Persistent.with_acls(zk::Acls::anyone_all());
    direct.mkdir("/prod", &open).await.unwrap();
    let url = format!("zk://{}/prod?ttl=20s&timeout=20s", proxy.endpoint());
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    client.probe().await.unwrap();
    proxy.set(Way::ToServer, LATE);

    let mut costs = Vec::new();
    for round in 0..ROUNDS {
        // A service each, so that its folder is new.
        let name = format!("api-{round}");
        let sent = proxy.counts().requests;
        let one = Service::builder(&name, "10.0.0.7", 8080).id("one").build().unwrap();
        let registration = client.register(one).await.unwrap();
        costs.push(proxy.counts().requests - sent);
        assert_eq!(client.list(&ServiceName::new(&name).unwrap()).await.unwrap().len(), 1);
        registration.close().await.unwrap();
    }
    assert!(costs.iter().any(|cost| *cost > UNSWEPT), "none was swept away in time: {costs:?}");
    // The folders of what is gone are swept away as well.
    let swept = reception_lab::eventually(Duration::from_secs(20), || async {
        let left = direct.list_children("/prod").await.map_err(|wrong| wrong.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    swept.await.unwrap();
    client.close().await.unwrap();
}
