//! The checks over the network, against real listeners.

use reception::health::{self, Check, GateOptions, Http, Tcp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;

/// A server that does the same with each connection, and ends with this handle.
struct Server {
    address: String,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "a test's own server")]
    async fn start<F, W>(serve: F) -> Self
    where
        F: Fn(TcpStream, String) -> W + Send + 'static,
        W: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let _ = serve(stream, head).await;
            }
        });
        Self { address, task }
    }

    /// Answers with these bytes and closes.
    async fn saying(answer: &'static str) -> Self {
        Self::start(move |mut stream, _| async move {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        })
        .await
    }

    fn http(&self, path: &str) -> Http {
        Http::new(&format!("http://{}{path}", self.address)).expect("a URL")
    }
}

#[tokio::test]
async fn a_2xx_answer_is_good_and_every_other_is_bad() {
    for (answer, good) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", true),
        ("HTTP/1.0 299 Fine\r\n\r\nand words to the end", true),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 199 Odd\r\n\r\nHTTP/1.1 500 No\r\n\r\n", false),
        ("HTTP/1.1 301 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 200", false),
        ("SSH-2.0-thing\r\n", false),
        ("", false),
    ] {
        let server = Server::saying(answer).await;
        let said = in_time(server.http("/live").check()).await;
        assert_eq!(said.is_ok(), good, "{answer:?}: {said:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let target = elsewhere.address.clone();
    let server = Server::start(move |mut stream, _| {
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n");
        async move { stream.write_all(answer.as_bytes()).await }
    })
    .await;
    let reason = in_time(server.http("/").check()).await.expect_err("a redirect");
    assert!(reason.ends_with("answered 302"), "{reason}");
}

#[tokio::test]
async fn path_query_and_host_are_sent_and_the_query_is_in_no_reason() {
    let server = Server::start(|mut stream, head| async move {
        let host = format!("host: {}\r\n", stream.local_addr()?);
        let fine = head.starts_with("GET /live?token=hidden HTTP/1.1\r\n") && head.contains(&host);
        let answer = if fine { "HTTP/1.1 200 OK\r\n\r\n" } else { "HTTP/1.1 400 Bad\r\n\r\n" };
        stream.write_all(answer.as_bytes()).await
    })
    .await;
    in_time(server.http("/live?token=hidden").check()).await.unwrap();
    let reason = in_time(server.http("/other?token=hidden").check()).await.expect_err("another path");
    assert!(reason.contains("/other") && !reason.contains("hidden"), "{reason}");
}

#[tokio::test]
async fn a_good_head_is_enough_also_when_the_body_never_ends() {
    let server = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
        loop {
            stream.write_all(b"1\r\nx\r\n").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    in_time(server.http("/").check()).await.unwrap();
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_read_for_ever() {
    let server = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        for number in 0..100_000 {
            stream.write_all(format!("x-{number}: {:0100}\r\n", 0).as_bytes()).await?;
        }
        std::future::pending().await
    })
    .await;
    let reason = in_time(server.http("/").check()).await.expect_err("too much");
    assert!(reason.contains("does not answer"), "{reason}");
}

#[tokio::test]
async fn servers_that_never_answer_or_trickle_are_bad_at_the_deadline() {
    let silent = Server::start(|stream, _| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await;
    let trickling = Server::start(|mut stream, _| async move {
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
            stream.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    })
    .await;
    for server in [&silent, &trickling] {
        let (_, client) = memory();
        let options = GateOptions::default().interval(Duration::from_millis(50));
        let gate = health::gate(client, api(), server.http("/"), options).unwrap();
        let told = word(&Story::of(&gate).any().await.unwrap());
        assert_eq!(told, "failing: no answer within 1s");
        in_time(gate.close()).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_there_is_bad_over_http_and_tcp() {
    let port = reception_lab::free_port().unwrap();
    let address = port.address().to_string();
    let reason = in_time(Tcp::new(&address).unwrap().check()).await.expect_err("nobody listens");
    assert!(reason.contains("no connection to 127.0.0.1"), "{reason}");
    let http = in_time(Http::new(&format!("http://{address}/")).unwrap().check()).await;
    assert!(http.expect_err("nobody listens").contains("does not answer"));
}

#[tokio::test]
async fn a_gate_follows_a_listener_that_comes_and_goes() {
    let port = reception_lab::free_port().unwrap();
    let address = port.address();
    let (_, client) = memory();
    let options = GateOptions::default().interval(Duration::from_millis(30));
    let check = Tcp::new(&address.to_string()).unwrap();
    let gate = health::gate(client.clone(), api(), check, options).unwrap();
    let mut story = Story::of(&gate);
    for _ in 0..2 {
        let listener = TcpListener::bind(address).await.unwrap();
        assert_eq!(story.next().await, "registered one");
        drop(listener);
        assert_eq!(story.next().await, "withdrawn");
    }
    gate.close().await.unwrap();
}
