//! Servers that are not there, do not speak, or speak nonsense: every call ends in time with a typed error.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{net::SocketAddr, time::Duration};

use reception_core::{Client, ClientExt, Dialer, ErrorKind, Service, ServiceName};
use reception_lab::free_port;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{Instant, timeout},
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
