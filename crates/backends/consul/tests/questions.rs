//! The rules of questions that are held back, before an agent that breaks them or goes to their edge.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt as _;
use reception_core::{Change, Client, ClientExt, Dialer, Watcher};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

const SOON: Duration = Duration::from_secs(10);
const FOR_EVER: Duration = Duration::from_secs(3600);

/// What is answered: after how long, the status, the index, and which instance the list has.
type Answer = (Duration, u16, u64, u32);

/// An agent that answers questions about services as it is told.
struct Scripted {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Scripted {
    /// `answer` takes the index that is asked with, if there is one, and how many questions came before.
    async fn start(answer: impl Fn(Option<u64>, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(answer));
        let (heard, mut tasks) = (Arc::clone(&asked), JoinSet::new());
        tasks.spawn(async move {
            let mut callers = JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                callers.spawn(async move { drop(serve(caller, &heard, &*answer).await) });
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    async fn watch(&self) -> (Arc<dyn Client>, Box<dyn Watcher>) {
        let url = format!("consul://{}?timeout=2s", self.address);
        let client = Dialer::new().with(reception_consul::BACKEND).unwrap().dial(&url).await.unwrap();
        let watcher = client.watch(&"api".parse().unwrap()).await.unwrap();
        (client, watcher)
    }

    /// The indexes of all questions about services, none for one without.
    fn asked(&self) -> Vec<Option<u64>> {
        self.asked.lock().unwrap().iter().map(|line| index(line)).collect()
    }
}

fn index(line: &str) -> Option<u64> {
    line.split(['?', '&', ' ']).find_map(|part| part.strip_prefix("index=")?.parse().ok())
}

async fn serve(
    mut caller: TcpStream,
    heard: &Mutex<Vec<String>>,
    answer: impl Fn(Option<u64>, usize) -> Answer,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if caller.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default();
    let (after, status, index, id) = if line.contains("/v1/health/service/") {
        let before = {
            let mut heard = heard.lock().unwrap();
            heard.push(line.to_owned());
            heard.len() - 1
        };
        answer(index(line), before)
    } else {
        (Duration::ZERO, 200, 1, 0)
    };
    sleep(after).await;
    let body = format!(
        r#"[{{"Node":{{"Node":"n"}},"Service":{{"ID":"i{id}","Address":"10.0.0.7","Port":80}},"Checks":[]}}]"#
    );
    let head =
        format!("HTTP/1.1 {status} x\r\nx-consul-index: {index}\r\ncontent-length: {}\r\n", body.len());
    caller.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).await?;
    caller.shutdown().await
}

/// What comes next: `i7` for a view with that instance, `stale`.
async fn next(watcher: &mut Box<dyn Watcher>) -> String {
    match timeout(SOON, watcher.next()).await.expect("in time").expect("goes on").unwrap() {
        Change::Stale(_) => "stale".to_owned(),
        _ => watcher.current().unwrap().iter().map(|one| one.id().to_string()).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_goes_back_is_given_up_and_all_is_read_anew() {
    let agent = Scripted::start(|index, before| match index {
        None if before == 0 => (Duration::ZERO, 200, 100, 1),
        Some(100) => (Duration::ZERO, 200, 40, 2),
        None => (Duration::ZERO, 200, 50, 3),
        _ => (FOR_EVER, 200, 50, 3),
    })
    .await;
    let (client, mut watcher) = agent.watch().await;
    assert_eq!(
        [next(&mut watcher).await, next(&mut watcher).await, next(&mut watcher).await],
        ["i1", "stale", "i3"]
    );
    assert!(timeout(Duration::from_millis(500), watcher.next()).await.is_err());
    assert_eq!(agent.asked(), [None, Some(100), None, Some(50)]);
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_not_used_again_after_an_error() {
    let agent = Scripted::start(|index, before| match index {
        None if before == 0 => (Duration::ZERO, 200, 100, 1),
        Some(100) => (Duration::ZERO, 500, 100, 1),
        None => (Duration::ZERO, 200, 101, 2),
        _ => (FOR_EVER, 200, 101, 2),
    })
    .await;
    let (client, mut watcher) = agent.watch().await;
    assert_eq!(
        [next(&mut watcher).await, next(&mut watcher).await, next(&mut watcher).await],
        ["i1", "stale", "i2"]
    );
    assert!(timeout(Duration::from_millis(500), watcher.next()).await.is_err());
    assert_eq!(agent.asked(), [None, Some(100), None, Some(101)]);
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_an_index_is_shown_and_asked_for_slowly() {
    let agent = Scripted::start(|_, before| (Duration::ZERO, 200, 0, u32::from(before > 0))).await;
    let (client, mut watcher) = agent.watch().await;
    assert_eq!(next(&mut watcher).await, "i0");
    assert_eq!(next(&mut watcher).await, "i1");
    sleep(Duration::from_secs(3)).await;
    let asked = agent.asked();
    assert!(asked.len() <= 8 && asked.iter().all(Option::is_none), "{asked:?}");
    client.close().await.unwrap();
}

/// An agent spreads its answers by a sixteenth of the time that it is asked to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_a_sixteenth_later_is_in_time() {
    const WAIT: Duration = Duration::from_secs(15);
    let agent = Scripted::start(|index, _| match index {
        None => (Duration::ZERO, 200, 7, 1),
        _ => (WAIT + WAIT / 17, 200, 7, 1),
    })
    .await;
    let (client, mut watcher) = agent.watch().await;
    assert_eq!(next(&mut watcher).await, "i1");
    let news = timeout(WAIT + WAIT / 16 + Duration::from_secs(1), watcher.next()).await;
    assert!(news.is_err(), "{news:?}");
    assert!(agent.asked.lock().unwrap()[1].contains("wait=15s"));
    assert_eq!(agent.asked(), [None, Some(7), Some(7)]);
    client.close().await.unwrap();
}
