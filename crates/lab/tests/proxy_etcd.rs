//! The proxy in front of a real etcd: gRPC calls are counted, and a reply is cut after the work.
#![cfg(test)]

use std::time::Duration;

use reception_lab::{Counts, Error, Etcd, Etcdctl, Proxy, eventually};

const SOON: Duration = Duration::from_secs(10);

async fn stage() -> (Etcd, Proxy, Etcdctl) {
    let etcd = Etcd::start().await.unwrap();
    let proxy = Proxy::start(etcd.endpoint()).await.unwrap();
    let ctl = Etcdctl::new(proxy.url()).unwrap();
    (etcd, proxy, ctl)
}

async fn counted(proxy: &Proxy, enough: fn(&Counts) -> bool) {
    eventually(SOON, || async { if enough(&proxy.counts()) { Ok(()) } else { Err(proxy.counts()) } })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_call_is_one_request_with_one_message_each_way() {
    let (_etcd, proxy, ctl) = stage().await;
    ctl.run(&["put", "a", "b"]).await.unwrap();
    counted(&proxy, |counts| counts.open_connections == 0).await;
    let counts = proxy.counts();
    assert_eq!((counts.requests, counts.open_streams), (1, 0), "{counts:?}");
    assert_eq!((counts.messages_to_server, counts.messages_to_client), (1, 1), "{counts:?}");
}

#[tokio::test]
async fn a_watch_is_one_open_stream_and_each_event_one_message() {
    let (etcd, proxy, ctl) = stage().await;
    let mut watch = ctl.spawn(&["watch", "a"]).unwrap();
    // The first message says that the watch exists.
    counted(&proxy, |counts| counts.messages_to_client == 1).await;
    let before = proxy.counts();
    assert_eq!((before.requests, before.open_streams), (1, 1));
    for value in ["1", "2", "3"] {
        etcd.ctl().unwrap().run(&["put", "a", value]).await.unwrap();
        let lines = [watch.line(SOON).await, watch.line(SOON).await, watch.line(SOON).await];
        assert_eq!(lines.map(Result::unwrap), ["PUT", "a", value]);
    }
    let since = proxy.counts().since(&before);
    assert_eq!((since.requests, since.messages_to_server, since.messages_to_client), (0, 0, 3));
    watch.kill();
    counted(&proxy, |counts| counts.open_streams == 0 && counts.open_connections == 0).await;
}

#[tokio::test]
async fn a_cut_reply_leaves_the_key_written_and_the_writer_unsure() {
    let (etcd, proxy, ctl) = stage().await;
    let ctl = ctl.flag("--command-timeout=5s");
    proxy.cut_before_reply("precious");
    ctl.run(&["put", "cheap", "1"]).await.unwrap();
    let unsure = ctl.run(&["put", "precious", "1"]).await.unwrap_err();
    assert!(matches!(unsure, Error::Failed { .. }), "{unsure}");
    assert_eq!(proxy.counts().replies_cut, 1);
    assert_eq!(etcd.ctl().unwrap().run(&["get", "precious"]).await.unwrap().stdout, "precious\n1\n");
}

#[tokio::test]
async fn any_reply_is_cut_without_a_needle_and_only_once() {
    let (_etcd, proxy, ctl) = stage().await;
    proxy.cut_before_reply("");
    let unsure = ctl.clone().flag("--command-timeout=5s").run(&["put", "a", "1"]).await.unwrap_err();
    assert!(matches!(unsure, Error::Failed { .. }), "{unsure}");
    ctl.run(&["put", "a", "2"]).await.unwrap();
    assert_eq!(proxy.counts().replies_cut, 1);
}

#[tokio::test]
async fn it_follows_a_real_server_through_a_restart() {
    let (etcd, proxy, ctl) = stage().await;
    ctl.run(&["put", "a", "b"]).await.unwrap();
    etcd.restart().await.unwrap();
    assert_eq!(ctl.run(&["get", "a"]).await.unwrap().stdout, "a\nb\n");
    assert_eq!(proxy.counts().connections, 2);
}
