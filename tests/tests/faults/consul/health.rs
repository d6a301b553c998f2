//! F37: whoever wants to take the health server down.

use std::{net::SocketAddr, time::Duration};

use futures_util::future::{join, join_all};
use reception_lab::{ConsulApi, eventually, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};

use crate::{
    scenario::Outcome,
    serving::{
        cast::{PATIENCE, SETTLE, active, dial, hold, ids, register, text},
        sight::Sight,
    },
    stage::Stage,
};

const TTL: Duration = Duration::from_secs(10);
const SLOW: usize = 500;
/// Before one that was let go comes again.
const PAUSE: Duration = Duration::from_millis(500);
/// After the last one came, for those in the queue to be taken, and their places from others.
const QUEUE: Duration = Duration::from_secs(1);
/// So many connections are heard at a time.
const HEARD: usize = 64;
/// The agent asks this often, in this while.
const INTERVAL: Duration = Duration::from_secs(1);
const WHILE: Duration = Duration::from_secs(8);

/// F37. 500 sockets that never finish their header and come again when they are let go, a header of 1 MiB, pipelined requests, a POST and a wrong path,
/// while the agent asks every second: the checks stay passing (I7), whatever is no good question is answered 4xx or
/// closed, and no more of those sockets are open than are heard at a time.
pub(super) async fn a_flood_of_the_health_server_leaves_the_check_passing(stage: &mut Stage) -> Outcome {
    let port = free_port().map_err(text)?;
    let address = port.address();
    let url = format!(
        "{}&check=http&check_bind={address}&interval={}s&check_timeout=1s",
        stage.direct("flood", TTL),
        INTERVAL.as_secs()
    );
    let client = dial(&url).await?;
    let reader = dial(&stage.direct("flood", TTL)).await?;
    let all = ids("i", 0..5);
    let registrations = register(&client, all.clone()).await?;
    let sight = Sight::open(&reader, "the reader's watch").await?;
    sight.shows("full view", &all, PATIENCE).await?;

    let end = Instant::now() + WHILE;
    let questions = async {
        bad_questions(address).await?;
        sleep_until(end).await;
        Ok::<(), String>(())
    };
    let (open, asked) = join(join_all((0..SLOW).map(|_| slow(address, end))), questions).await;
    asked?;
    let open = open.into_iter().filter(|open| *open).count();
    hold(open <= HEARD, || format!("{open} slow sockets were open in the end"))?;
    sight.flapped(0)?;
    let agent = ConsulApi::new(stage.stand.endpoint());
    let asked = || async {
        let told = agent.get("/v1/agent/checks").await.map_err(text)?.body;
        let well = told.contains("HTTP GET") && !told.contains("\"critical\"");
        if well { Ok(()) } else { Err(told) }
    };
    eventually(SETTLE, asked).await.map_err(|late| format!("the checks do not pass: {late}"))?;
    active(&registrations, SETTLE).await?;
    client.close().await.map_err(text)?;
    hold(TcpStream::connect(address).await.is_err(), || "somebody listens after close".to_owned())?;
    reader.close().await.map_err(text)
}

/// Comes again and again and never finishes its header; whether it is connected in the end.
async fn slow(address: SocketAddr, end: Instant) -> bool {
    while Instant::now() < end {
        if let Ok(mut socket) = TcpStream::connect(address).await {
            drop(socket.write_all(b"GET /").await);
            if timeout_at(end + QUEUE, socket.read_u8()).await.is_err() {
                return true;
            }
        }
        sleep(PAUSE).await;
    }
    false
}

async fn bad_questions(address: SocketAddr) -> Outcome {
    let big = format!("GET /health/x HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let often = "GET /health/x HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    for (what, request) in [
        ("a header of 1 MiB", big.as_str()),
        ("1000 requests at once", &often),
        ("a POST", "POST /health/x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"),
        ("a wrong path", "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("another process's registration", "GET /health/x HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("no HTTP", "\0\0\0\0\r\n\r\n"),
    ] {
        let answer = ask(address, request).await;
        let few = answer.matches("HTTP/1.1").count() <= 1;
        let refused = answer.is_empty() || (answer.starts_with("HTTP/1.1 4") && few);
        hold(refused, || format!("{what}: {answer}"))?;
    }
    Ok(())
}

/// What is answered until the connection closes, or for two seconds.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut answer = Vec::new();
    let exchange = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(request.as_bytes()).await?;
        socket.read_to_end(&mut answer).await
    };
    drop(timeout(Duration::from_secs(2), exchange).await);
    String::from_utf8_lossy(&answer).into_owned()
}
