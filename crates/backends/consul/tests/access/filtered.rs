//! What a token may not read is left out of an answer; agents from 1.11 on say so.
//!
//! The real agent at hand is older: this one is a stand-in, whose answers are those that Consul documents.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::StreamExt;
use reception_core::{Change, ClientExt, ErrorKind};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Duration, sleep, timeout},
};

use super::{SOON, api, dial};

const ONE: &str = r#"[{"Node":{"Node":"n1","Address":"127.0.0.1"},"Service":{"ID":"prod-api:one","Service":"prod-api",
"Address":"10.0.0.7","Port":8080,"Meta":{"reception-namespace":"prod"},"Tags":[],"ModifyIndex":7},"Checks":[]}]"#;
/// How long a question is held back.
const HELD: Duration = Duration::from_millis(100);

/// Answers one request; the list is empty for a blind one.
async fn answer(mut caller: TcpStream, blind: &AtomicBool) -> std::io::Result<()> {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        if caller.read_buf(&mut heard).await? == 0 {
            return Ok(());
        }
    }
    let asked = String::from_utf8_lossy(&heard).into_owned();
    if asked.contains("index=") {
        sleep(HELD).await;
    }
    let blind = blind.load(Ordering::Acquire);
    let (index, filtered) = if blind { (9, "x-consul-results-filtered-by-acls: true\r\n") } else { (8, "") };
    let body = match () {
        () if asked.contains("/v1/catalog/services") => {
            if blind {
                "{}"
            } else {
                r#"{"prod-api":[]}"#
            }
        }
        () if blind => "[]",
        () => ONE,
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nx-consul-index: {index}\r\n{filtered}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    caller.write_all((head + body).as_bytes()).await
}

#[tokio::test]
async fn a_list_of_which_nothing_may_be_read_is_denied_and_empties_no_view() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let agent = listener.local_addr().unwrap();
    let blind = Arc::new(AtomicBool::new(false));
    let (mut agents, sight) = (JoinSet::new(), Arc::clone(&blind));
    agents.spawn(async move {
        let mut callers = JoinSet::new();
        while let Ok((caller, _)) = listener.accept().await {
            let sight = Arc::clone(&sight);
            callers.spawn(async move { drop(answer(caller, &sight).await) });
        }
    });
    let client = dial(agent, "").await.unwrap();
    assert_eq!(client.list(&api()).await.unwrap().len(), 1);
    assert_eq!(client.names().await.unwrap().len(), 1);
    let mut watcher = client.watch(&api()).await.unwrap();
    let mut next = async || timeout(SOON, watcher.next()).await.unwrap().unwrap().unwrap();
    let shown = next().await;
    assert!(matches!(&shown, Change::Reset(view) if view.len() == 1), "{shown:?}");

    blind.store(true, Ordering::Release);
    let shown = next().await;
    assert!(matches!(&shown, Change::Stale(why) if why.kind() == ErrorKind::Denied), "{shown:?}");
    for error in [client.list(&api()).await.unwrap_err(), client.names().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
    client.close().await.unwrap();
}
