//! Servers that are not there, do not speak, or speak nonsense: every call ends in time with a typed error.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{net::SocketAddr, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{Change, Client, ClientExt, Dialer, ErrorKind, RegistrationState, Service, ServiceName};
use reception_lab::{ZooKeeper, eventually, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

const LIMIT: Duration = Duration::from_secs(4);

/// A server that answers the first words of every client with these bytes, and then waits or hangs up.
async fn server(answer: Vec<u8>, hangs_up: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    drop(tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut words = [0; 64];
            drop(stream.read(&mut words).await);
            drop(stream.write_all(&answer).await);
            if !hangs_up {
                open.push(stream);
            }
        }
    }));
    address
}

async fn fails(endpoint: &str, kinds: &[ErrorKind]) {
    let url = format!("zk://{endpoint}/x?ttl=3s&timeout=1s");
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    let name = ServiceName::new("api").unwrap();
    let api = Service::new("api", "10.0.0.7", 8080).unwrap();
    let begun = Instant::now();
    let listed = timeout(LIMIT, client.list(&name)).await.unwrap().unwrap_err();
    assert!(kinds.contains(&listed.kind()), "{endpoint}: {listed}");
    assert!(listed.context().contains(endpoint), "{listed} does not say who was tried");
    let registered = timeout(LIMIT, client.register(api)).await.unwrap().unwrap_err();
    assert!(kinds.contains(&registered.kind()), "{endpoint}: {registered}");
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    // An error is an honest answer: a session may have been granted that nobody heard of.
    drop(timeout(LIMIT, client.close()).await.unwrap());
    assert_eq!(client.list(&name).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_unavailable_and_named() {
    let port = free_port().unwrap();
    fails(&port.address().to_string(), &[ErrorKind::Unavailable]).await;
    fails("surely-not-a-host.invalid:2181", &[ErrorKind::Unavailable]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_speaks_nonsense_is_no_harm() {
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec();
    let negative = (-7_i32).to_be_bytes().to_vec();
    let short = [&4_i32.to_be_bytes()[..], &[1, 2, 3, 4]].concat();
    // A session is granted, then an answer comes that nobody asked for.
    let mut granted = Vec::new();
    granted.extend(37_i32.to_be_bytes());
    granted.extend(0_i32.to_be_bytes());
    granted.extend(3000_i32.to_be_bytes());
    granted.extend(77_i64.to_be_bytes());
    granted.extend(16_i32.to_be_bytes());
    granted.extend([9; 17]);
    let stray = [&granted[..], &16_i32.to_be_bytes(), &999_i32.to_be_bytes(), &[0; 12]].concat();
    for answer in [Vec::new(), http, negative, short, granted, stray] {
        for hangs_up in [false, true] {
            let address = server(answer.clone(), hangs_up).await;
            let kinds = [ErrorKind::Unavailable, ErrorKind::Protocol, ErrorKind::LeaseLost];
            fails(&address.to_string(), &kinds).await;
        }
    }
}

/// Passes a first connection on, for a while. Of the second one only the first words of the server come through; then nobody listens any more.
async fn breaks(server: SocketAddr, after: Duration) -> (SocketAddr, JoinSet<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, mut tasks) = (listener.local_addr().unwrap(), JoinSet::new());
    tasks.spawn(async move {
        let (mut first, _) = listener.accept().await?;
        let mut there = TcpStream::connect(server).await?;
        drop(timeout(after, copy_bidirectional(&mut first, &mut there)).await);
        drop((first, there));
        let (mut second, _) = listener.accept().await?;
        drop(listener);
        let mut there = TcpStream::connect(server).await?;
        let mut words = [0; 1024];
        let asked = second.read(&mut words).await?;
        there.write_all(&words[..asked]).await?;
        let granted = there.read(&mut words).await?;
        second.write_all(&words[..granted]).await?;
        // Until the client has taken it.
        second.read(&mut words).await.map(drop)
    });
    (address, tasks)
}

/// The library tells of such a connection that it is made, and of its end not before another one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_breaks_before_it_serves_is_told_though_no_other_can_be_made() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let (address, _tasks) = breaks(zookeeper.endpoint(), Duration::from_secs(2)).await;
    let url = format!("zk://{address}/x?ttl=30s&timeout=1s");
    let client = Dialer::new().with(reception_zookeeper::BACKEND).unwrap().dial(&url).await.unwrap();
    let registration = client.register(Service::new("api", "10.0.0.7", 8080).unwrap()).await.unwrap();
    let mut watcher = client.watch(&ServiceName::new("api").unwrap()).await.unwrap();
    assert!(matches!(watcher.next().await, Some(Ok(Change::Reset(_)))));
    sleep(Duration::from_secs(2)).await;
    let doubtful = || async {
        match registration.state() {
            RegistrationState::Doubtful(_) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    // Past the moment at which a break is told that the library has noticed.
    eventually(LIMIT, doubtful).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    eventually(LIMIT, doubtful).await.unwrap();
    let stale = async { while !matches!(watcher.next().await, Some(Ok(Change::Stale(_)))) {} };
    timeout(LIMIT, stale).await.unwrap();
    drop(timeout(LIMIT, client.close()).await.unwrap());
}
