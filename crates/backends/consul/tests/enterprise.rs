//! The namespace and the partition of Consul Enterprise: what is asked with them.
//!
//! No agent of that version is at hand. A real one of the free version stands behind a stand-in, which takes both out of what is asked; so this shows what is
//! sent, and not what an agent of that version makes of it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt as _;
use reception_consul::Options;
use reception_core::{ClientExt, ErrorKind, Service, ServiceName};
use reception_lab::Consul;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(20);
/// What is sent with every request.
const PLACE: [&str; 2] = ["ns=team", "partition=west"];

/// The version of the real agent, and what it is made of.
const VERSION: &[u8] = br#""1.8.7""#;
const ENTERPRISE: &[u8] = br#""1+ent""#;

/// A request: its method and target, and its body.
type Asked = (String, String);

/// Stands before an agent of the free version.
#[derive(Clone, Default)]
struct StandIn(Arc<Mutex<Vec<Asked>>>);

impl StandIn {
    async fn start(agent: SocketAddr) -> (Self, SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stand_in, mut tasks) = (Self::default(), JoinSet::new());
        let heard = stand_in.clone();
        tasks.spawn(async move {
            let mut callers = JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                let heard = heard.clone();
                callers.spawn(async move { drop(heard.serve(caller, agent).await) });
            }
        });
        (stand_in, address, tasks)
    }

    /// One request, without the place; then the connection ends.
    async fn serve(&self, mut caller: TcpStream, agent: SocketAddr) -> std::io::Result<()> {
        let mut heard = Vec::new();
        let end = loop {
            if let Some(at) = heard.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if caller.read_buf(&mut heard).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&heard[..end]).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or_default();
        while heard.len() < end + length {
            caller.read_buf(&mut heard).await?;
        }
        let (first, rest) = head.split_once("\r\n").unwrap_or_default();
        let body = String::from_utf8_lossy(&heard[end..]).into_owned();
        self.0.lock().unwrap().push((first.to_owned(), body.clone()));
        // What is packed could not be changed on its way back.
        let rest = rest.replace("accept-encoding: gzip", "x-encoding: gzip");
        let plain = PLACE.iter().fold(first.to_owned(), |line, part| line.replace(part, "x=y"));
        let mut upstream = TcpStream::connect(agent).await?;
        upstream.write_all(format!("{plain}\r\nconnection: close\r\n{rest}").as_bytes()).await?;
        // As long, since the length was told; the free version knows the word for a namespace, too, and no other word.
        upstream.write_all(body.replace(r#""Partition":"west""#, r#""Namespace":"team""#).as_bytes()).await?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).await?;
        // As long, again: an agent of that version says so in its version.
        if first.starts_with("GET /v1/agent/self")
            && let Some(at) = answer.windows(VERSION.len()).position(|window| window == VERSION)
        {
            answer[at..at + VERSION.len()].copy_from_slice(ENTERPRISE);
        }
        caller.write_all(&answer).await?;
        caller.shutdown().await
    }

    fn asked(&self) -> Vec<Asked> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namespace_and_partition_go_with_every_request_and_every_part_of_a_transaction() {
    let consul = Consul::start().await.unwrap();
    let (stand_in, address, _tasks) = StandIn::start(consul.endpoint()).await;
    let options = Options::new([address.to_string()]);
    let options = options.enterprise(Some("team".to_owned()), Some("west".to_owned()));
    let client = reception_consul::dial(options).await.unwrap();
    let instance = |id: &str| Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap();
    let (one, two) =
        (client.register(instance("one")).await.unwrap(), client.register(instance("two")).await.unwrap());
    let api: ServiceName = "api".parse().unwrap();
    assert_eq!(client.list(&api).await.unwrap().len(), 2);
    assert!(client.names().await.unwrap().contains(&api));
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = timeout(SOON, elector.elect(instance("one"))).await.unwrap().unwrap();
    assert!(elector.leader().await.unwrap().is_some());
    leadership.resign().await.unwrap();
    two.close().await.unwrap();
    one.close().await.unwrap();
    client.probe().await.unwrap();
    client.close().await.unwrap();

    let asked = stand_in.asked();
    let apart = asked.iter().find(|(line, _)| !PLACE.iter().all(|part| line.contains(part)));
    assert!(apart.is_none(), "{apart:?}");
    let mut kinds = [("KV", 0), ("Service", 0), ("Check", 0)];
    for (line, body) in asked.iter().filter(|(line, _)| line.starts_with("PUT /v1/txn")) {
        let parts: Vec<Value> = serde_json::from_str(body).unwrap();
        for part in &parts {
            let (kind, count) = kinds.iter_mut().find(|(kind, _)| part[*kind].is_object()).unwrap();
            let told = if *kind == "KV" { &part["KV"] } else { &part[*kind][*kind] };
            assert_eq!(
                (&told["Namespace"], &told["Partition"]),
                (&"team".into(), &"west".into()),
                "{line} {body}"
            );
            *count += 1;
        }
    }
    assert!(kinds.iter().all(|(_, count)| *count > 0), "{kinds:?}");
}

/// An agent of 1.8 knows no partition and answers from all that it has; one that does not know a namespace says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_not_enterprise_is_not_asked_for_what_it_does_not_know() {
    let consul = Consul::start().await.unwrap();
    let name: ServiceName = "api".parse().unwrap();
    let instance = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    for (namespace, partition) in [(Some("team"), None), (None, Some("west"))] {
        let options = Options::new([consul.endpoint().to_string()]).timeout(Duration::from_secs(2));
        let options = options.enterprise(namespace.map(str::to_owned), partition.map(str::to_owned));
        let client = reception_consul::dial(options).await.unwrap();
        let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
        let told = [
            client.register(instance.clone()).await.map(drop),
            client.list(&name).await.map(drop),
            client.names().await.map(drop),
            elector.leader().await.map(drop),
            client.probe().await.map(drop),
            timeout(SOON, elector.elect(instance.clone())).await.unwrap().map(drop),
        ];
        for (at, outcome) in told.into_iter().enumerate() {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{at}: {error}");
            assert!(error.context().contains("Enterprise"), "{at}: {error}");
        }
        let mut watcher = client.watch(&name).await.unwrap();
        let first = timeout(SOON, watcher.next()).await.unwrap().unwrap();
        assert!(matches!(&first, Err(why) if why.kind() == ErrorKind::Unsupported), "{first:?}");
        timeout(SOON, client.close()).await.unwrap().unwrap();
        let left = consul.api().get("/v1/agent/services").await.unwrap().body;
        assert_eq!(left.trim(), "{}");
    }
}
