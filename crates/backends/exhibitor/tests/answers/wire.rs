//! What a web server may do on the wire: answers that never end, break off, are too long, or come in an older version.

use std::{sync::Arc, time::Duration};

use reception_core::{Client, ClientExt};
use reception_lab::{ZooKeeper, eventually};

use crate::{
    stage::{SOON, Witness, api, dial, instance, notes, told},
    standin::Standin,
};

const JSON: &str = "Content-Type: application/json\r\n";
const PAIRS: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

struct Scene {
    zookeeper: ZooKeeper,
    standin: Standin,
    client: Arc<dyn Client>,
    good: String,
}

impl Scene {
    async fn new() -> Self {
        let zookeeper = ZooKeeper::start().await.unwrap();
        let standin = Standin::start().await;
        let good = format!(r#"{{"servers":["127.0.0.1"],"port":{}}}"#, zookeeper.endpoint().port());
        standin.answers("200 OK", JSON, &good);
        let url = format!("exhibitor://{}/prod?ttl=3s&timeout=1s&poll=100ms", standin.endpoint());
        let client = dial(&url).await.unwrap();
        Self { zookeeper, standin, client, good }
    }

    /// The list is live, and what was wrong before is told no more.
    async fn mends(&self) {
        self.standin.answers("200 OK", JSON, &self.good);
        notes(&self.client, &["servers: 1 live"]).await;
    }
}

/// What an answer is called, how it begins, what is repeated after that without end, and what is told of it.
fn broken(good: &str) -> Vec<(&'static str, String, &'static str, &'static str)> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let begun = format!("{ok}{JSON}Transfer-Encoding: chunked\r\n\r\n");
    let length = good.len();
    vec![
        ("a head line by line", ok.to_owned(), "X: y\r\n", "no answer"),
        ("a head that is one line", format!("{ok}X: "), "y", "no answer"),
        ("it goes on and on", String::new(), "HTTP/1.1 100 Continue\r\n\r\n", "no answer"),
        ("chunks without end", begun.clone(), "1\r\n \r\n", "no answer"),
        ("a body byte by byte", format!("{ok}{JSON}Content-Length: {length}\r\n\r\n"), " ", "no answer"),
        ("a chunk that is no chunk", format!("{begun}zz\r\n"), "", "half an answer"),
        ("a chunk of all there is", format!("{begun}ffffffffffffffff\r\n"), "", "half an answer"),
        ("chunks that break off", format!("{begun}{length:x}\r\n{good}\r\n"), "", "half an answer"),
        ("half a body", format!("{ok}{JSON}Content-Length: 999\r\n\r\n{good}"), "", "half an answer"),
        ("half a head", format!("{ok}{JSON}"), "", "no answer"),
        ("nothing", String::new(), "", "no answer"),
        ("a long head", format!("{ok}X: {}\r\n\r\n", "y".repeat(64 << 10)), "", "no answer"),
        ("many heads", format!("{ok}{}\r\n", "X: y\r\n".repeat(1000)), "", "no answer"),
        (
            "two lengths",
            format!("{ok}{JSON}Content-Length: {length}\r\nContent-Length: 1\r\n\r\n{good}"),
            "",
            "no answer",
        ),
        (
            "another protocol",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_owned(),
            "",
            "answered 101",
        ),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), "", "answered 204"),
        (
            "packed",
            format!("{ok}{JSON}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\u{1f}\u{8b}"),
            "",
            "no list",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_end_or_breaks_off_is_none() {
    let scene = Scene::new().await;
    let registration = scene.client.register(instance("one")).await.unwrap();
    let mut witness = Witness::new(&registration, scene.client.watch(&api()).await.unwrap());
    witness.shows(&["one"]).await;
    for (case, answer, drip, why) in broken(&scene.good) {
        scene.standin.drips(answer.as_bytes(), drip.as_bytes());
        let (_, told) = tokio::join!(
            async {
                let seen = eventually(SOON, || async {
                    match told(&scene.client).await.1 {
                        notes if notes.contains("servers: 1 cached") && notes.contains(why) => Ok(()),
                        notes => Err(notes),
                    }
                })
                .await;
                assert!(seen.is_ok(), "{case}: {seen:?}");
            },
            async { tokio::time::timeout(Duration::from_secs(20), scene.client.list(&api())).await }
        );
        assert_eq!(told.unwrap().unwrap().len(), 1, "{case}");
        scene.mends().await;
    }
    witness.saw_nothing(&["one"]);
    scene.client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_answer_is_read_and_an_older_version_is_understood() {
    let scene = Scene::new().await;
    let port = scene.zookeeper.endpoint().port();
    let padded = |length: usize| format!("{}{}", scene.good, " ".repeat(length - scene.good.len()));
    assert!(scene.client.list(&api()).await.unwrap().is_empty());
    scene.standin.answers("200 OK", JSON, &padded((1 << 20) + 1));
    notes(&scene.client, &["servers: 1 cached", "more than 1048576 bytes"]).await;
    scene.standin.answers("200 OK", JSON, &padded(1 << 20));
    notes(&scene.client, &["servers: 1 live"]).await;
    let older = |kind: &str, body: &str| format!("HTTP/1.0 200 OK\r\n{kind}\r\n{body}");
    let pairs = format!("count=1&server0=127.0.0.1&port={port}");
    // The beginning of it would be another port.
    scene.standin.says(older(PAIRS, &pairs).as_bytes());
    notes(&scene.client, &["servers: 1 cached", "does not tell where it ends"]).await;
    scene.standin.says(older(JSON, &scene.good).as_bytes());
    notes(&scene.client, &["servers: 1 live"]).await;
    scene.standin.answers("200 OK", PAIRS, &pairs);
    notes(&scene.client, &["servers: 1 live"]).await;
    scene.standin.says(format!("HTTP/1.1 100 Continue\r\n\r\n{}", older(JSON, &scene.good)).as_bytes());
    notes(&scene.client, &["servers: 1 live"]).await;
    scene.client.close().await.unwrap();
}
