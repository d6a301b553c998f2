use std::net::SocketAddr;

use futures_util::future::join_all;
use reception_kit::Supervisor;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};

use super::*;

const SOON: Duration = Duration::from_secs(30);
const GOOD: &str = "GET /health/one HTTP/1.1\r\nhost: x\r\n\r\n";

async fn serving(limits: Limits) -> (SocketAddr, Supervisor) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let supervisor = Supervisor::new("consul").unwrap();
    let closing = supervisor.closing();
    supervisor.spawn("health", async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = answer_all(listener, limits, |asked| asked == "one") => {}
        }
    });
    (address, supervisor)
}

/// What is answered until the connection closes.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut caller = TcpStream::connect(address).await.unwrap();
    let mut said = Vec::new();
    let exchange = async {
        caller.write_all(request.as_bytes()).await?;
        caller.read_to_end(&mut said).await
    };
    // A connection that is reset has said what it had to say.
    drop(timeout(SOON, exchange).await.expect("the connection ends in time"));
    String::from_utf8_lossy(&said).into_owned()
}

/// What the README promises of it.
#[test]
fn the_limits_are_those_that_are_told() {
    let Limits { header, whole, callers } = Limits::default();
    assert_eq!((header, whole, callers), (Duration::from_secs(5), Duration::from_secs(10), 64));
    assert_eq!((HEADER, HEADERS), (8 * 1024, 64));
}

#[tokio::test]
async fn the_one_question_is_answered_and_nothing_else() {
    let (address, server) = serving(Limits::default()).await;
    let well = ask(address, GOOD).await;
    assert!(well.starts_with("HTTP/1.1 200 ") && well.ends_with("{\"alive\": true}"), "{well}");
    assert!(ask(address, "GET /health/one?x=1 HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200 "));
    let head = ask(address, "HEAD /health/one HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    let big = format!("GET /health/one HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("GET /health/one HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1000));
    for (status, request) in [
        ("404", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("404", "GET /health/two HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("404", "GET /health/one/../etc HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("405", "POST /health/one HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"),
        ("4", "\0\0\0\0\r\n\r\n"),
        ("4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("431", &big),
        ("431", &many),
    ] {
        let said = ask(address, request).await;
        let fits = said.is_empty() || said.starts_with(&format!("HTTP/1.1 {status}"));
        assert!(fits, "{}: {said}", &request[..request.len().min(40)]);
    }
    let often = ask(address, &GOOD.repeat(1000)).await;
    assert_eq!(often.matches("HTTP/1.1").count(), 1, "one connection, one answer");
    server.close().await;
}

#[tokio::test]
async fn slow_callers_are_let_go_and_keep_nobody_out() {
    const CALLERS: usize = 8;
    let limits = Limits { header: SOON * 2, whole: SOON * 2, callers: CALLERS };
    let (address, server) = serving(limits).await;
    let mut slow = Vec::new();
    for _ in 0..500 {
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(b"GET /hea").await.unwrap();
        slow.push(caller);
    }
    assert!(ask(address, GOOD).await.starts_with("HTTP/1.1 200 "), "the agent comes through");
    let ended = |caller: TcpStream| async move {
        let mut caller = caller;
        timeout(Duration::from_secs(2), caller.read_u8()).await.is_ok()
    };
    let open = join_all(slow.into_iter().map(ended)).await.iter().filter(|ended| !**ended).count();
    assert!(open < CALLERS, "{open} slow callers are still heard");
    server.close().await;
}

#[tokio::test]
async fn a_header_that_does_not_end_is_not_waited_for() {
    let (header, whole) = (Duration::from_millis(200), Duration::from_millis(600));
    for limits in [Limits { header, whole: SOON, callers: 8 }, Limits { header: SOON, whole, callers: 8 }] {
        let (address, server) = serving(limits).await;
        let begun = Instant::now();
        let said = ask(address, "GET /health/one HTTP/1.1\r\n").await;
        assert!(!said.contains(" 200 "), "{said}");
        assert!(begun.elapsed() < SOON / 2, "{limits:?}: {:?}", begun.elapsed());
        server.close().await;
    }
}
