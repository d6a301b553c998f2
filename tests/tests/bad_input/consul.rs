//! The bad inputs of Consul: URLs, tokens, and agents that answer nonsense.

mod calls;
mod local;

use std::{
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use reception::{ClientExt as _, ErrorKind, limits};
use reception_lab::{Consul, ConsulOptions, free_port};
use reception_tests::{dial, patiently};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

use super::{api, every_call_fails, instance, refused};

const TOKEN: &str = "0b7f4b0e-6c6c-4d8e-9a43-51a1b2f0c001";
/// How long a watch is left with an agent that answers nonsense, and how many questions that may cost.
const WHILE: Duration = Duration::from_secs(4);
const QUESTIONS: usize = 40;

#[tokio::test]
async fn a_dial_that_cannot_work_is_refused_before_any_io() {
    for url in [
        "consul:",
        "consul://",
        "consul:///ns",
        "consul://h1/../x",
        "consul://h1/a%2f..%2fb",
        "consul://h1/é",
        "consul://h1?ttl=0s",
        "consul://h1?ttl=-1s",
        "consul://h1?ttl=10",
        "consul://h1?ttl=500ms",
        "consul://h1?ttl=25h",
        "consul://h1?election_ttl=900ms",
        "consul://h1?timeout=0s",
        "consul://h1?tll=3s",
        "consul://h1?check=udp",
        "consul://h1?layout=other",
        "consul://h1?cert=c",
        "consul://h1?key=k",
        "consul://h1?tls=true",
        "consul+tls://h1?tls=false",
        "consul://me:canary@h1",
        "consul://h1:0",
        "consul://h1:65536",
        "consul://h1,,h2",
        "consul://h1,h1",
    ] {
        let error = refused(url).await;
        assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::InvalidName), "{url}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_port_an_unknown_host_and_silence_are_told_in_time() {
    let port = free_port().expect("a port");
    every_call_fails(&format!("consul://{}/x?timeout=1s", port.address()), &[ErrorKind::Unavailable]).await;
    every_call_fails("consul://surely-not-a-host.invalid/x?timeout=1s", &[ErrorKind::Unavailable]).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("bound");
    let accept = async {
        let mut open = Vec::new();
        while let Ok((socket, _)) = silent.accept().await {
            open.push(socket);
        }
    };
    let url = format!("consul://{address}/x?timeout=1s");
    tokio::select! {
        () = accept => {}
        () = every_call_fails(&url, &[ErrorKind::Unavailable, ErrorKind::Timeout]) => {}
    }
}

/// An agent that gives everybody the same answer, and how often it was asked.
async fn agent(answer: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>, JoinSet<()>) {
    agent_that(vec![answer]).await
}

/// An agent that gives one answer after the other, and the last one for ever.
async fn agent_that(answers: Vec<Vec<u8>>) -> (SocketAddr, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answers: Arc<[Vec<u8>]> = answers.into();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut callers = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            callers.spawn(say(socket, Arc::clone(&answers), Arc::clone(&counter)));
        }
    });
    (address, asked, tasks)
}

async fn say(mut socket: TcpStream, answers: Arc<[Vec<u8>]>, asked: Arc<AtomicUsize>) {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = socket.read(&mut piece).await {
        heard.extend_from_slice(&piece[..count]);
        if heard.windows(4).any(|window| window == b"\r\n\r\n") {
            let turn = asked.fetch_add(1, Ordering::Relaxed);
            drop(socket.write_all(&answers[turn.min(answers.len() - 1)]).await);
            drop(socket.shutdown().await);
            return;
        }
    }
}

fn http(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_answers_nonsense_is_told_and_not_asked_fast() {
    let cut = b"HTTP/1.1 200 OK\r\nx-consul-index: 7\r\ncontent-length: 900\r\n\r\n[{\"Node\":".to_vec();
    for (what, answer) in [
        ("500 in text", http("500 Internal Server Error", "No cluster leader")),
        ("200 in HTML", http("200 OK\r\nx-consul-index: 7", "<html>canary</html>")),
        ("half an answer", cut),
        ("another shape", http("200 OK\r\nx-consul-index: 7", "{\"a\": 1}")),
        ("another protocol", b"\x15\x03\x01\x00\x02\x02\x46".to_vec()),
        ("a strange packing", http("200 OK\r\nx-consul-index: 7\r\ncontent-encoding: gzip", "canary")),
    ] {
        let (address, _, _tasks) = agent(answer.clone()).await;
        let url = format!("consul://{address}/x?timeout=1s");
        let kinds = [ErrorKind::Protocol, ErrorKind::Unavailable, ErrorKind::Timeout];
        let client = dial(&url).await;
        let error = patiently("list", client.list(&api())).await.expect_err(what);
        assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
        let (address, asked, _tasks) = agent(answer).await;
        let client = dial(&format!("consul://{address}/x?timeout=1s")).await;
        watched(&*client, what, &asked).await;
    }
}

/// A watch is left alone with an agent: it does not end, and does not ask fast.
async fn watched(client: &dyn reception::Client, what: &str, asked: &AtomicUsize) {
    let mut watcher = client.watch(&api()).await.expect("a watch begins");
    let before = asked.load(Ordering::Relaxed);
    let ended = timeout(WHILE, async { while watcher.next().await.is_some() {} }).await;
    assert!(ended.is_err(), "{what}: the watch ended");
    let asked = asked.load(Ordering::Relaxed) - before;
    assert!(asked <= QUESTIONS, "{what}: {asked} questions in {WHILE:?}");
    drop(timeout(Duration::from_secs(20), client.close()).await.expect("close does not hang"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_none_makes_no_busy_loop() {
    for (what, head) in [
        ("no index", "200 OK"),
        ("index 0", "200 OK\r\nx-consul-index: 0"),
        ("a negative index", "200 OK\r\nx-consul-index: -7"),
        ("an index that is no number", "200 OK\r\nx-consul-index: canary"),
        ("the same index at once", "200 OK\r\nx-consul-index: 7"),
    ] {
        for body in ["[]", "null"] {
            let (address, asked, _tasks) = agent(http(head, body)).await;
            let client = dial(&format!("consul://{address}/x?timeout=1s")).await;
            let view = patiently("list", client.list(&api())).await;
            assert!(
                view.as_ref().is_ok_and(reception::Snapshot::is_empty) || body == "null",
                "{what}: {view:?}"
            );
            watched(&*client, &format!("{what} with {body}"), &asked).await;
        }
    }
}

/// One row of a list.
fn row(id: usize) -> String {
    format!(
        r#"{{"Node":{{"Node":"n1","Address":"10.0.0.9"}},"Service":{{"ID":"i{id}","Service":"x-api","Address":"10.0.0.7","Port":80,"Meta":{{"zone":"a"}}}},"Checks":[{{"CheckID":"c","Status":"passing"}}]}}"#
    )
}

fn packed(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {head}\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(plain).expect("packs");
    packer.finish().expect("packs")
}

/// B17 and B30: an answer that would take all memory is refused, whether it says so or not, and the view before it stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_bounds_is_refused_and_the_view_stays() {
    let good = http("200 OK\r\nx-consul-index: 7", &format!("[{}]", row(1)));
    // Some hundred KB that unpack to 300 MiB, and a length that no list has.
    let bomb = packed("200 OK\r\nx-consul-index: 8", &gzip(&vec![b' '; 1 << 20]).repeat(300));
    let endless = b"HTTP/1.1 200 OK\r\nx-consul-index: 8\r\ncontent-length: 99999999999\r\n\r\n[".to_vec();
    for (what, answer) in [("a bomb", bomb), ("a length", endless)] {
        let (address, _, _tasks) = agent(answer.clone()).await;
        let client = dial(&format!("consul://{address}/x?timeout=20s")).await;
        let error = patiently("list", client.list(&api())).await.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{what}: {error:?}");
        client.close().await.expect("closes");

        let (address, _, _tasks) = agent_that(vec![good.clone(), good.clone(), answer]).await;
        let client = dial(&format!("consul://{address}/x?timeout=20s")).await;
        let mut watcher = client.watch(&api()).await.expect("a watch begins");
        let mut stale = false;
        while !stale {
            let change = timeout(Duration::from_secs(30), watcher.next()).await.expect(what);
            let change = change.expect("goes on").expect("is well");
            if let reception::Change::Stale(why) = change {
                assert_eq!(why.kind(), ErrorKind::Protocol, "{what}: {why}");
                stale = true;
            }
        }
        assert_eq!(watcher.current().map(reception::Snapshot::len), Some(1), "{what}");
        client.close().await.expect("closes");
    }
}

/// B30: a service of a hundred thousand is read as any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_instances_are_read() {
    const MANY: usize = 100_000;
    let rows: Vec<String> = (0..MANY).map(row).collect();
    let (address, _, _tasks) =
        agent(packed("200 OK\r\nx-consul-index: 7", &gzip(format!("[{}]", rows.join(",")).as_bytes()))).await;
    let client = dial(&format!("consul://{address}/x?timeout=60s")).await;
    let view = timeout(Duration::from_secs(60), client.list(&api())).await.expect("in time").expect("lists");
    assert_eq!((view.len(), view.unreadable()), (MANY, 0));
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_nobody_knows_and_missing_rights_are_told_apart() {
    let server = Consul::start_with(ConsulOptions::default().token(TOKEN)).await.expect("an agent");
    let at = server.endpoint();
    let stranger = "d9428888-122b-4b0a-9a43-51a1b2f0c002";
    every_call_fails(&format!("consul://{at}/x?timeout=2s&token={stranger}"), &[ErrorKind::Unauthenticated])
        .await;
    let client = dial(&format!("consul://{at}/x?timeout=5s")).await;
    let error = patiently("register", client.register(instance("i"))).await.expect_err("no rights");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let client = dial(&format!("consul://{at}/x?timeout=5s&token={TOKEN}")).await;
    let registration = patiently("register", client.register(instance("i"))).await.expect("allowed");
    registration.close().await.expect("closes");
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_at_the_limits_are_taken_and_beyond_them_refused() {
    let server = Consul::start().await.expect("an agent");
    let client = dial(&format!("consul://{}/x", server.endpoint())).await;
    let value = "v".repeat(limits::MAX_VALUE);
    let full = (0..limits::MAX_ATTRIBUTES)
        .fold(instance("full").to_builder(), |builder, at| builder.attribute(&format!("k{at}"), &value));
    match full.build() {
        Ok(full) => {
            let registration = patiently("register", client.register(full.clone())).await.expect("taken");
            let view = client.list(&api()).await.expect("lists");
            assert_eq!(
                view.iter().next().map(|service| service.attributes().count()),
                Some(limits::MAX_ATTRIBUTES)
            );
            registration.close().await.expect("closes");
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}"),
    }
    let more = (0..=limits::MAX_ATTRIBUTES)
        .fold(instance("more").to_builder(), |builder, at| builder.attribute(&format!("k{at}"), "v"));
    assert_eq!(more.build().expect_err("too many").kind(), ErrorKind::TooLarge);
    for key in ["consul-x", "a.b", "a b", ""] {
        let built = instance("odd").to_builder().attribute(key, "v").build();
        let error = match built {
            Err(error) => error,
            Ok(odd) => patiently("register", client.register(odd)).await.expect_err(key),
        };
        assert_eq!(error.kind(), ErrorKind::InvalidInstance, "{key:?}: {error}");
    }
    client.close().await.expect("closes");
}
