//! The ZooKeeper of the lab, on a real server.

use std::time::Duration;

use reception_lab::{Proxy, ProxyOptions, ZooKeeper, eventually};

#[tokio::test]
async fn it_serves_restarts_and_is_wiped() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let version = zookeeper.version().await.unwrap();
    assert!(version.starts_with("3."), "{version}");
    assert!(zookeeper.counts().await.unwrap().contains_key("zk_watch_count"));
    zookeeper.kill();
    assert!(zookeeper.word("srvr").await.is_err());
    zookeeper.restart().await.unwrap();
    zookeeper.pause().unwrap();
    zookeeper.resume().unwrap();
    assert!(zookeeper.data().join("version-2").is_dir());
    zookeeper.wipe().await.unwrap();
    assert_eq!(zookeeper.version().await.unwrap(), version);
}

#[tokio::test]
async fn a_proxy_keeps_what_the_server_said_first() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let proxy = Proxy::start_with(zookeeper.endpoint(), ProxyOptions::default().jute(true)).await.unwrap();
    let mut stream = std::net::TcpStream::connect(proxy.endpoint()).unwrap();
    std::io::Write::write_all(&mut stream, b"ruok").unwrap();
    eventually(Duration::from_secs(10), || async {
        let openings = proxy.openings();
        if openings == [b"imok".to_vec()] { Ok(()) } else { Err(format!("{openings:?}")) }
    })
    .await
    .unwrap();
}
