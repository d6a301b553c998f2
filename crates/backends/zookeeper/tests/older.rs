//! A server before 3.6, which knows neither persistent watches nor reading in one request. None is at hand, so that a fake stands before a real server:
//! it has the server look at its root in place of such a request, and answers as an older one does.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and has tasks")]

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use reception_core::{Client, ClientExt, Dialer, Error, ErrorKind, Service, ServiceName};
use reception_lab::ZooKeeper;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::{TcpListener, TcpStream},
};

/// The kinds of requests that came with 3.6: to read many nodes at once, and to add a watch that stays.
const LATER: [i32; 2] = [22, 106];
/// Whether a node exists, at the root and without a watch: a length, a path of one letter, no.
const EXISTS: i32 = 3;
const ROOT: [u8; 6] = [0, 0, 0, 1, b'/', 0];
/// The code for a request that a server does not know.
const UNIMPLEMENTED: i32 = -6;
const SOON: Duration = Duration::from_secs(20);

type Refused = Arc<Mutex<BTreeSet<i32>>>;

/// Frames from `from` to `to`, each changed on its way, until one of them ends.
async fn carry(
    mut from: ReadHalf<TcpStream>,
    mut to: WriteHalf<TcpStream>,
    mut change: impl FnMut(Vec<u8>) -> Vec<u8>,
) -> std::io::Result<()> {
    loop {
        let mut frame = vec![0; usize::try_from(from.read_u32().await?).unwrap()];
        from.read_exact(&mut frame).await?;
        let frame = change(frame);
        to.write_u32(u32::try_from(frame.len()).unwrap()).await?;
        to.write_all(&frame).await?;
    }
}

fn number(frame: &[u8], at: usize) -> Option<i32> {
    frame.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes)
}

/// A request: its number, its kind, its words. The first frame has neither, and its third number is no such kind.
fn asked(frame: Vec<u8>, refused: &Refused) -> Vec<u8> {
    let (Some(request), Some(kind)) = (number(&frame, 0), number(&frame, 4)) else { return frame };
    if !LATER.contains(&kind) {
        return frame;
    }
    refused.lock().unwrap().insert(request);
    [&request.to_be_bytes()[..], &EXISTS.to_be_bytes(), &ROOT].concat()
}

/// An answer: its number, where the server is, an error, and what was asked for.
fn answered(mut frame: Vec<u8>, refused: &Refused) -> Vec<u8> {
    if number(&frame, 0).is_some_and(|request| refused.lock().unwrap().remove(&request)) {
        frame.truncate(12);
        frame.extend(UNIMPLEMENTED.to_be_bytes());
    }
    frame
}

/// Where the older server is reached.
async fn older(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(server).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (tokio::io::split(client), tokio::io::split(server));
            let refused = Refused::default();
            let asked_of = Arc::clone(&refused);
            tokio::spawn(carry(from_client, to_server, move |frame| asked(frame, &asked_of)));
            tokio::spawn(carry(from_server, to_client, move |frame| answered(frame, &refused)));
        }
    });
    address
}

fn refuses(wrong: &Error) {
    assert_eq!(wrong.kind(), ErrorKind::Unsupported, "{wrong}");
    assert!(wrong.to_string().contains("3.6"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_before_3_6_is_refused_by_name_and_nothing_hangs() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let url = format!("zk://{}/prod?timeout=5s", older(zookeeper.endpoint()).await);
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    let api: ServiceName = "api".parse().unwrap();
    // Registering asks for nothing that an older server does not know.
    let mut registrations = Vec::new();
    for id in ["one", "two"] {
        let service = Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap();
        registrations.push(client.register(service).await.unwrap());
    }
    refuses(&client.list(&api).await.unwrap_err());
    let mut watcher = client.watch(&api).await.unwrap();
    let item = tokio::time::timeout(SOON, watcher.next()).await.unwrap();
    refuses(&item.unwrap().unwrap_err());
    assert!(tokio::time::timeout(SOON, watcher.next()).await.unwrap().is_none(), "the watch goes on");
    // Nor does who stands and leads.
    let candidate = Service::builder("api", "10.0.0.7", 8080).id("one").build().unwrap();
    let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let leadership = elector.elect(candidate).await.unwrap();
    assert!(elector.leader().await.unwrap().is_some());
    leadership.resign().await.unwrap();
    for registration in registrations {
        registration.close().await.unwrap();
    }
    client.close().await.unwrap();
}
