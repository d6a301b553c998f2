//! Exhibitors that hang, refuse, lie or are not there: the last good list stays, and who never got one is told whom was asked.

use std::{sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, ErrorKind};
use reception_lab::{Exhibitor, ExhibitorOptions, Listed, ZooKeeper, eventually, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use crate::{
    stage::{SOON, Witness, api, dial, instance, notes, told},
    standin::Standin,
};

async fn started() -> (ZooKeeper, Exhibitor) {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let exhibitor = Exhibitor::start(of(&zookeeper)).await.unwrap();
    (zookeeper, exhibitor)
}

fn of(zookeeper: &ZooKeeper) -> Listed {
    Listed::new(["127.0.0.1"], zookeeper.endpoint().port())
}

fn json(zookeeper: &ZooKeeper) -> String {
    format!(r#"{{"servers":["127.0.0.1"],"port":{}}}"#, zookeeper.endpoint().port())
}

/// A process is stopped a while after it was told to be: not before nobody is answered any more.
async fn paused(exhibitor: &Exhibitor) {
    exhibitor.pause().unwrap();
    let at = exhibitor.endpoint();
    let silent = eventually(SOON, || async move {
        let asked = tokio::time::timeout(Duration::from_secs(1), async {
            let mut stream = TcpStream::connect(at).await?;
            stream.write_all(b"GET /exhibitor/v1/cluster/list HTTP/1.0\r\n\r\n").await?;
            stream.read_u8().await
        });
        asked.await.map_or(Ok(()), |answer| Err(format!("{answer:?}")))
    });
    silent.await.unwrap();
}

/// A first call fails in time with one of these kinds, and tells what is asked for.
async fn fails(hosts: &str, query: &str, kinds: &[ErrorKind], words: &[&str]) {
    let client = dial(&format!("exhibitor://{hosts}/prod?ttl=3s&timeout=2s&{query}")).await.unwrap();
    let begun = Instant::now();
    let refused = client.list(&api()).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(kinds.contains(&refused.kind()), "{refused}");
    let all = format!("{refused}: {:?}", std::error::Error::source(&refused).map(ToString::to_string));
    for word in words {
        assert!(all.contains(word), "{all} lacks {word}");
    }
    assert!(!format!("{refused} {refused:?}").contains("sesame"), "{refused:?}");
    drop(client.close().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_real_exhibitor_tells_wrong_keeps_the_last_good_list() {
    let (zookeeper, exhibitor) = started().await;
    let url = format!("exhibitor://{}/prod?ttl=3s&timeout=2s&poll=200ms", exhibitor.endpoint());
    let client = dial(&url).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    let mut witness = Witness::new(&registration, client.watch(&api()).await.unwrap());
    witness.shows(&["one"]).await;
    let many = Listed::new((0..10_000).map(|at| format!("zk{at}")), 2181);
    for (wrong, why) in [
        (Listed::new(Vec::<String>::new(), 2181), "tells no servers"),
        (Listed::new(["127.0.0.1"], 0), "a port that is not in 1-65535"),
        (Listed::new(["127.0.0.1"], 99999), "a port that is not in 1-65535"),
        (many, "tells 10000 servers, more than 256"),
    ] {
        exhibitor.list(wrong).await.unwrap();
        notes(&client, &["servers: 1 cached", why]).await;
    }
    exhibitor.list(of(&zookeeper)).await.unwrap();
    notes(&client, &["servers: 1 live"]).await;
    witness.saw_nothing(&["one"]);
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_real_exhibitor_does_at_first_is_told_in_time() {
    let (zookeeper, exhibitor) = started().await;
    let hosts = exhibitor.endpoint().to_string();
    paused(&exhibitor).await;
    fails(&hosts, "", &[ErrorKind::Unavailable], &[&hosts, "no answer within"]).await;
    // One of several that hangs costs a part of the time.
    let other = Exhibitor::start(of(&zookeeper)).await.unwrap();
    let both = format!("exhibitor://{hosts},{}/prod?ttl=3s&timeout=3s", other.endpoint());
    for _ in 0..4 {
        let client = dial(&both).await.unwrap();
        assert!(client.list(&api()).await.unwrap().is_empty());
        client.close().await.unwrap();
    }
    exhibitor.resume().unwrap();
    other.list(Listed::new(Vec::<String>::new(), 2181)).await.unwrap();
    let other = other.endpoint().to_string();
    fails(&other, "", &[ErrorKind::Unavailable], &[&other, "tells no servers"]).await;
    exhibitor.list(Listed::new(["127.0.0.1"], 0)).await.unwrap();
    fails(&hosts, "", &[ErrorKind::Protocol], &[&hosts, "not in 1-65535"]).await;
    let port = free_port().unwrap();
    let nobody = port.address().to_string();
    fails(&nobody, "", &[ErrorKind::Unavailable], &[&nobody]).await;
    fails("surely-not-a-host.invalid", "", &[ErrorKind::Unavailable], &["surely-not-a-host.invalid:8080"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_logs_in_and_a_wrong_password_is_told_at_once() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let login = ExhibitorOptions::default().login("app", "sesame:&%");
    let exhibitor = Exhibitor::start_with(of(&zookeeper), login).await.unwrap();
    let hosts = exhibitor.endpoint().to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "sesame:&%\n").unwrap();
    for (user, query) in [
        ("app:sesame%3A%26%25@", String::new()),
        ("", format!("user=app&password_file={}", file.display())),
        ("app@", format!("password_file={}", file.display())),
    ] {
        let client = dial(&format!("exhibitor://{user}{hosts}/prod?ttl=3s&{query}")).await.unwrap();
        assert!(client.list(&api()).await.unwrap().is_empty());
        client.close().await.unwrap();
    }
    fails(&format!("app:wrong-sesame@{hosts}"), "", &[ErrorKind::Unauthenticated], &["answered 401"]).await;
    fails(&hosts, "", &[ErrorKind::Unauthenticated], &["answered 401"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_static_servers_are_used_until_an_exhibitor_answers() {
    let (zookeeper, exhibitor) = started().await;
    exhibitor.kill();
    let hosts = exhibitor.endpoint();
    let query = format!("ttl=3s&poll=200ms&fallback={}", zookeeper.endpoint());
    let client = dial(&format!("exhibitor://{hosts}/prod?{query}")).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    let mut witness = Witness::new(&registration, client.watch(&api()).await.unwrap());
    witness.shows(&["one"]).await;
    notes(&client, &["servers: fallback", "last error"]).await;
    exhibitor.restart().await.unwrap();
    notes(&client, &["servers: 1 live"]).await;
    exhibitor.kill();
    notes(&client, &["servers: 1 cached"]).await;
    witness.saw_nothing(&["one"]);
    // A probe that fails tells all the same where the servers are from that do not answer.
    zookeeper.kill();
    notes(&client, &["no server answered", "servers: 1 cached", "last error"]).await;
    drop(client.close().await);
}

/// A stand-in: the real one answers none of these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_exhibitor_should_answer_keeps_the_last_good_list() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let good = json(&zookeeper);
    let form = format!("count=1&server0=127.0.0.1&port={}", zookeeper.endpoint().port());
    let standin = Standin::start().await;
    let elsewhere = Standin::start().await;
    elsewhere.answers("200 OK", "Content-Type: application/json\r\n", &good);
    let redirect =
        format!("Content-Type: application/json\r\nLocation: http://{}/\r\n", elsewhere.endpoint());
    let huge = format!("{{\"x\":\"{}\",{}", "x".repeat(2 << 20), &good[1..]);
    const JSON: &str = "Content-Type: application/json\r\n";
    let bad = [
        ("302 Found", redirect.as_str(), good.as_str(), "a redirect"),
        ("500 Server Error", JSON, &good, "answered 500"),
        ("404 Not Found", JSON, &good, "answered 404"),
        ("200 OK", "Content-Type: text/html\r\n", "<html>hello</html>", "neither JSON nor a form"),
        ("200 OK", JSON, "<html>hello</html>", "no list of servers"),
        ("200 OK", "", &good, "without a type"),
        ("200 OK", JSON, &huge, "more than 1048576 bytes"),
        ("200 OK", JSON, r#"{"servers":null,"port":2181}"#, "no list of servers"),
        ("200 OK", JSON, r#"{"servers":["http://a/"],"port":2181}"#, "no host"),
    ];
    let hosts = standin.endpoint().to_string();
    for (status, headers, body, why) in bad {
        standin.answers(status, headers, body);
        let kinds = [ErrorKind::Protocol, ErrorKind::Unavailable];
        fails(&hosts, "", &kinds, &[&hosts, why]).await;
    }
    standin.answers("200 OK", "Content-Type: application/x-www-form-urlencoded\r\n", &form);
    let client = dial(&format!("exhibitor://{hosts}/prod?ttl=3s&timeout=2s&poll=100ms")).await.unwrap();
    let registration = client.register(instance("one")).await.unwrap();
    let mut witness = Witness::new(&registration, client.watch(&api()).await.unwrap());
    witness.shows(&["one"]).await;
    for (status, headers, body, why) in bad {
        standin.answers(status, headers, body);
        notes(&client, &["servers: 1 cached", why]).await;
    }
    standin.says(b"\x00\x01 no web server at all\r\n\r\n");
    notes(&client, &["servers: 1 cached", "no answer"]).await;
    standin.answers("200 OK", JSON, &good);
    notes(&client, &["servers: 1 live"]).await;
    witness.saw_nothing(&["one"]);
    assert_eq!(elsewhere.asked(), 0, "a redirect was followed");
    let head = standin.head();
    assert!(head.starts_with("GET /exhibitor/v1/cluster/list HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("accept: application/json"), "{head}");
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_go_on_at_their_pace_and_end_with_the_client() {
    let zookeeper = ZooKeeper::start().await.unwrap();
    let standin = Standin::start().await;
    standin.answers("200 OK", "Content-Type: application/json\r\n", &json(&zookeeper));
    let hosts = standin.endpoint();
    let client: Arc<dyn Client> =
        dial(&format!("exhibitor://{hosts}/prod?ttl=3s&poll=500ms&prefix=/war/")).await.unwrap();
    assert_eq!(standin.asked(), 0, "a dial asks nobody");
    assert!(told(&client).await.1.contains("servers: 1 live"));
    tokio::time::sleep(Duration::from_millis(2300)).await;
    let asked = standin.asked();
    assert!((3..=6).contains(&asked), "{asked} polls");
    assert!(standin.head().starts_with("GET /war/exhibitor/v1/cluster/list HTTP/1.1\r\n"));
    client.close().await.unwrap();
    let asked = standin.asked();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(standin.asked(), asked);
}
