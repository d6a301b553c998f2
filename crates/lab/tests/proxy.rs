//! Every way the proxy can fail, before a server that sends back what it gets.
#![cfg(test)]

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reception_lab::{Flow, Port, Proxy, ProxyOptions, Way, eventually, free_port, history::boot_ns};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, timeout},
};

const SOON: Duration = Duration::from_secs(10);
/// Long enough that what could come would have come, on loopback.
const QUIET: Duration = Duration::from_millis(200);

/// Sends back what it gets; a connection whose client is done is closed after its last byte.
struct Echo {
    port: Port,
    got: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        let mut echo = Self {
            port: free_port().unwrap(),
            got: Arc::default(),
            ended: Arc::default(),
            tasks: JoinSet::new(),
        };
        echo.listen().await;
        echo
    }

    async fn listen(&mut self) {
        let listener = TcpListener::bind(self.port.address()).await.unwrap();
        let (got, ended) = (Arc::clone(&self.got), Arc::clone(&self.ended));
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&got), Arc::clone(&ended)));
            }
        });
    }

    async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }

    async fn has_got(&self, bytes: u64) {
        let got = || async { if self.got() == bytes { Ok(()) } else { Err(self.got()) } };
        eventually(SOON, got).await.unwrap();
    }

    fn got(&self) -> u64 {
        self.got.load(Ordering::SeqCst)
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }
}

async fn serve(mut stream: TcpStream, got: Arc<AtomicU64>, ended: Arc<AtomicU64>) {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        got.fetch_add(count as u64, Ordering::SeqCst);
        if stream.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
    ended.fetch_add(1, Ordering::SeqCst);
    let _ = stream.write_all(b"bye").await;
}

async fn stage() -> (Echo, Proxy) {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.address()).await.unwrap();
    (echo, proxy)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.endpoint()).await.unwrap()
}

async fn say(stream: &mut TcpStream, words: &str) {
    stream.write_all(words.as_bytes()).await.unwrap();
    let mut heard = vec![0; words.len()];
    timeout(SOON, stream.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, words.as_bytes());
}

async fn hears_nothing(stream: &mut TcpStream) {
    assert!(timeout(QUIET, stream.read_u8()).await.is_err());
}

async fn is_reset(stream: &mut TcpStream) {
    let end = timeout(SOON, stream.read_u8()).await.unwrap();
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    timeout(SOON, stream.read_to_end(&mut heard)).await.unwrap().unwrap();
    heard
}

#[tokio::test]
async fn a_new_proxy_passes_and_counts() {
    let (_echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    say(&mut client, "you").await;
    let counts = proxy.counts();
    assert_eq!((counts.connections, counts.open_connections), (1, 1));
    assert_eq!((counts.bytes_to_server, counts.bytes_to_client), (8, 8));
    assert_eq!((counts.bursts, counts.requests), (2, 0));
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, b"bye");
    eventually(SOON, || async {
        if proxy.counts().open_connections == 0 { Ok(()) } else { Err(proxy.counts()) }
    })
    .await
    .unwrap();
    assert_eq!(proxy.counts().since(&counts).bytes_to_client, 3);
}

#[tokio::test]
async fn a_cut_closes_all_and_refuses_until_it_heals() {
    let (echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.cut().await.unwrap();
    assert_eq!(rest(&mut client).await, b"");
    assert_eq!(proxy.counts().open_connections, 0);
    assert_eq!(TcpStream::connect(proxy.endpoint()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(echo.got(), 5);
    proxy.heal().await.unwrap();
    say(&mut connect(&proxy).await, "again").await;
}

#[tokio::test]
async fn refusing_leaves_open_connections_alone() {
    let (_echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.refuse().await;
    assert_eq!(TcpStream::connect(proxy.endpoint()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    say(&mut client, "still here").await;
}

#[tokio::test]
async fn a_swallowed_request_never_reaches_the_server() {
    let (echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.set(Way::ToServer, Flow::Swallow);
    client.write_all(b"lost").await.unwrap();
    hears_nothing(&mut client).await;
    assert_eq!(echo.got(), 5);
    assert_eq!(proxy.counts().bytes_swallowed, 4);
    proxy.heal().await.unwrap();
    is_reset(&mut client).await;
    say(&mut connect(&proxy).await, "again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_holds_for_every_byte_sent_after_it() {
    let (echo, proxy) = stage().await;
    for round in 1..=100 {
        let mut client = connect(&proxy).await;
        say(&mut client, "hello").await;
        proxy.set(Way::ToServer, Flow::Swallow);
        client.write_all(b"lost").await.unwrap();
        let swallowed = || async {
            let swallowed = proxy.counts().bytes_swallowed;
            if swallowed == 4 * round { Ok(()) } else { Err(swallowed) }
        };
        eventually(SOON, swallowed).await.unwrap();
        assert_eq!(echo.got(), 5 * round);
        proxy.heal().await.unwrap();
    }
}

#[tokio::test]
async fn a_swallowed_reply_leaves_the_server_served() {
    let (echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.set(Way::ToClient, Flow::Swallow);
    client.write_all(b"heard").await.unwrap();
    echo.has_got(10).await;
    hears_nothing(&mut client).await;
}

#[tokio::test]
async fn behind_a_silent_link_even_the_death_of_the_server_is_not_heard() {
    let (mut echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.set_both(Flow::Swallow);
    echo.stop().await;
    client.write_all(b"anyone?").await.unwrap();
    hears_nothing(&mut client).await;
    let mut late = connect(&proxy).await;
    hears_nothing(&mut late).await;
    proxy.heal().await.unwrap();
    is_reset(&mut client).await;
    is_reset(&mut late).await;
}

#[tokio::test]
async fn a_connection_that_lost_nothing_survives_a_silent_link() {
    let (_echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.set_both(Flow::Swallow);
    hears_nothing(&mut client).await;
    proxy.heal().await.unwrap();
    say(&mut client, "still here").await;
}

#[tokio::test]
async fn a_stalled_way_closes_the_window_and_loses_nothing() {
    const TOTAL: usize = 32 << 20;
    let (echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.set(Way::ToServer, Flow::Stall);
    let (mut from, mut to) = client.split();
    let block = vec![7; 64 << 10];
    let mut sent = 0;
    while let Ok(count) = timeout(QUIET, to.write(&block)).await {
        sent += count.unwrap();
        assert!(sent < TOTAL, "the window never closed");
    }
    assert_eq!(echo.got(), 5);
    proxy.heal().await.unwrap();
    let mut heard = vec![0; sent];
    timeout(SOON, from.read_exact(&mut heard)).await.unwrap().unwrap();
    assert!(heard.iter().all(|byte| *byte == 7));
    assert_eq!(echo.got(), 5 + sent as u64);
}

#[tokio::test]
async fn a_delay_comes_late_and_in_order() {
    let echo = Echo::start().await;
    let proxy = Proxy::start_with(echo.address(), ProxyOptions::default().seed(42)).await.unwrap();
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.set_both(Flow::Delay { base: Duration::from_millis(50), jitter: Duration::from_millis(50) });
    let start = Instant::now();
    say(&mut client, "there and back").await;
    assert!(start.elapsed() >= Duration::from_millis(100));
    let words = "0123456789".repeat(20);
    let (mut from, mut to) = client.split();
    let mut heard = vec![0; words.len()];
    let write = async {
        for byte in words.as_bytes() {
            to.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let read = timeout(SOON, from.read_exact(&mut heard));
    tokio::join!(write, read).1.unwrap().unwrap();
    assert_eq!(heard, words.as_bytes());
    proxy.heal().await.unwrap();
    say(&mut client, "quick again").await;
}

#[tokio::test]
async fn a_half_closed_way_ends_and_the_other_goes_on() {
    let (echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.half_close(Way::ToServer);
    assert_eq!(rest(&mut client).await, b"bye");
    assert_eq!(echo.ended.load(Ordering::SeqCst), 1);

    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.half_close(Way::ToClient);
    assert_eq!(rest(&mut client).await, b"");
    client.write_all(b"more").await.unwrap();
    echo.has_got(14).await;
}

#[tokio::test]
async fn a_reset_is_a_reset_and_new_connections_are_welcome() {
    let (_echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.reset().await.unwrap();
    is_reset(&mut client).await;
    say(&mut connect(&proxy).await, "again").await;
}

#[tokio::test]
async fn a_cut_after_some_bytes_passes_exactly_those() {
    let (echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.set(Way::ToClient, Flow::CutAfter(7));
    client.write_all(b"0123").await.unwrap();
    client.read_exact(&mut [0; 4]).await.unwrap();
    client.write_all(b"456789").await.unwrap();
    assert_eq!(rest(&mut client).await, b"456");
    proxy.heal().await.unwrap();
    say(&mut connect(&proxy).await, "0123456789").await;
    assert_eq!(echo.got(), 25);
}

#[tokio::test]
async fn a_request_is_served_and_its_reply_cut() {
    let (echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    proxy.cut_before_reply("needle");
    say(&mut client, "hay").await;
    client.write_all(b"a nee").await.unwrap();
    client.read_exact(&mut [0; 5]).await.unwrap();
    client.write_all(b"dle").await.unwrap();
    assert_eq!(rest(&mut client).await, b"");
    assert_eq!((echo.got(), proxy.counts().replies_cut), (16, 1));
    say(&mut connect(&proxy).await, "another needle").await;
}

#[tokio::test]
async fn it_follows_a_server_that_restarts_on_the_same_port() {
    let (mut echo, proxy) = stage().await;
    let mut client = connect(&proxy).await;
    say(&mut client, "hello").await;
    echo.stop().await;
    assert!(timeout(SOON, client.read_u8()).await.unwrap().is_err());
    let mut early = connect(&proxy).await;
    is_reset(&mut early).await;
    assert_eq!(proxy.counts().unanswered, 1);
    echo.listen().await;
    say(&mut connect(&proxy).await, "again").await;
}

#[tokio::test]
async fn dropping_a_proxy_ends_its_connections_and_tasks() {
    let (_echo, proxy) = stage().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut clients = Vec::new();
    for flow in [Flow::Pass, Flow::Swallow, Flow::Stall] {
        proxy.set_both(flow);
        clients.push(connect(&proxy).await);
    }
    let served = || async { if proxy.counts().connections == 3 { Ok(()) } else { Err(proxy.counts()) } };
    eventually(SOON, served).await.unwrap();
    drop(proxy);
    for client in &mut clients {
        assert_eq!(rest(client).await, b"");
    }
    // The echo server's own: its listener, and connections that are about to end.
    eventually(SOON, || async { if tasks() == 1 { Ok(()) } else { Err(tasks()) } }).await.unwrap();
}

#[tokio::test]
async fn the_proxy_tells_when_connections_arrived() {
    let echo = Echo::start().await;
    let proxy = Proxy::start(echo.port.address()).await.unwrap();
    let before = boot_ns();
    for _ in 0..3 {
        let mut client = TcpStream::connect(proxy.endpoint()).await.unwrap();
        client.write_all(b"x").await.unwrap();
        client.read_u8().await.unwrap();
    }
    let arrivals = proxy.arrivals();
    assert_eq!(arrivals.len(), 3);
    assert!(arrivals.is_sorted() && arrivals[0] >= before && arrivals[2] <= boot_ns());
}
