//! F37: whoever wants to take the health server down.

use std::time::Duration;

use futures_util::future::join_all;
use reception::ClientExt as _;
use reception_lab::{ConsulApi, eventually, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    scenario::Outcome,
    serving::{
        cast::{PATIENCE, SETTLE, dial, hold, ids, instance, text},
        sight::Sight,
    },
    stage::Stage,
};

const TTL: Duration = Duration::from_secs(10);
const SLOW: usize = 500;
/// The agent asks this often, in this while.
const INTERVAL: Duration = Duration::from_secs(1);
const WHILE: Duration = Duration::from_secs(6);

/// F37. 500 sockets that never finish their header, a header of 1 MiB, pipelined requests, a POST and a wrong path, while the agent asks every
/// second: the check stays passing (I7), and whatever is no good question is answered 4xx or closed.
pub(super) async fn a_flood_of_the_health_server_leaves_the_check_passing(stage: &mut Stage) -> Outcome {
    let port = free_port().map_err(text)?;
    let address = port.address();
    let url = format!(
        "{}&check=http&check_bind={address}&check_host={}&interval={}s&check_timeout=1s",
        stage.direct("flood", TTL),
        address.ip(),
        INTERVAL.as_secs()
    );
    let client = dial(&url).await?;
    let reader = dial(&stage.direct("flood", TTL)).await?;
    let registration = client.register(instance("i0")).await.map_err(text)?;
    let sight = Sight::open(&reader, "the reader's watch").await?;
    sight.shows("full view", &ids("i", 0..1), PATIENCE).await?;

    let opened = join_all((0..SLOW).map(|_| async move {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(b"GET /").await?;
        Ok::<_, std::io::Error>(socket)
    }));
    let slow = opened.await;
    let big = format!("GET /health HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    for (what, request) in [
        ("a header of 1 MiB", big.as_str()),
        ("a POST", "POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"),
        ("a wrong path", "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("no HTTP", "\0\0\0\0\r\n\r\n"),
    ] {
        let answer = ask(address, request).await;
        hold(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), || format!("{what}: {answer}"))?;
    }
    drop(ask(address, &"GET /health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000)).await);
    sleep(WHILE).await;
    sight.flapped(0)?;
    let agent = ConsulApi::new(stage.stand.endpoint());
    let asked = || async {
        let told = agent.get("/v1/agent/checks").await.map_err(text)?.body;
        let well = told.contains("\"passing\"") && !told.contains("\"critical\"");
        if well { Ok(()) } else { Err(told) }
    };
    eventually(SETTLE, asked).await.map_err(|late| format!("the check does not pass: {late}"))?;
    drop(slow);
    registration.close().await.map_err(text)?;
    client.close().await.map_err(text)?;
    reader.close().await.map_err(text)
}

/// What is answered until the connection closes, or for two seconds.
async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut answer = Vec::new();
    let exchange = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(request.as_bytes()).await?;
        socket.read_to_end(&mut answer).await
    };
    drop(timeout(Duration::from_secs(2), exchange).await);
    String::from_utf8_lossy(&answer).into_owned()
}
