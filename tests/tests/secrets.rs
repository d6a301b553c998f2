//! No secret is printed: a canary as password, every error path, and everything that any dependency logs at TRACE.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::{net::SocketAddr, time::Duration};

use reception::{Client, ClientExt as _, DialUrl, Secret, Service};
use reception_lab::{Consul, ConsulOptions, Etcd, Exhibitor, ExhibitorOptions, Listed, ZooKeeper, free_port};
use reception_tests::Log;
use tokio::time::timeout;

const CANARY: &str = "canary-7f3a9";
/// The same, as basic authentication sends it: behind `root:` and behind `root:wrong-`.
const ENCODED: &[&str] = &["cm9vdDpjYW5hcnktN2YzYTk", "cm9vdDp3cm9uZy1jYW5hcnktN2YzYTk"];

fn shows(text: &str) -> bool {
    text.contains(CANARY) || ENCODED.iter().any(|encoded| text.contains(encoded))
}

/// Exercises a client and gives back everything that it would show a person.
async fn shown(url: &str) -> String {
    let mut shown = String::new();
    let client = match reception::dial(url).await {
        Ok(client) => reception::observe::observe(client),
        Err(error) => return format!("{error} {error:?}"),
    };
    let api = "api".parse().expect("a name");
    let service = Service::builder("api", "10.0.0.7", 80).id("i").build().expect("valid");
    shown += &format!("{client:?}");
    shown += &format!("{:?}", client.probe().await);
    shown += &format!("{:?}", client.list(&api).await);
    let registration = client.register(service.clone()).await;
    shown += &format!("{registration:?}");
    let watcher = client.watch(&api).await;
    shown += &format!("{watcher:?}");
    if let Ok(elector) = client.elector(&"e".parse().expect("a name")).await {
        let elected = timeout(Duration::from_secs(2), elector.elect(service)).await;
        shown += &format!("{elector:?} {elected:?} {:?}", elector.leader().await);
    }
    shown + &format!("{:?}", timeout(Duration::from_secs(10), client.close()).await)
}

fn zookeeper_urls(zk: SocketAddr, closed: SocketAddr, file: &str) -> Vec<String> {
    vec![
        format!("zk://root:{CANARY}@{zk}/x?timeout=2s"),
        // What is there belongs to the other password.
        format!("zk://root:wrong-{CANARY}@{zk}/x?timeout=2s"),
        format!("zk://{zk}/x?timeout=2s&user=root&password_file={file}"),
        format!("zk://root:{CANARY}@{}/x?timeout=1s", closed),
        format!("zk://root:{CANARY}@{zk}/x?sasl=true"),
        format!("zk://root:{CANARY}@{zk}/x?{CANARY}=1"),
    ]
}

fn etcd_urls(at: SocketAddr, closed: SocketAddr, file: &str) -> Vec<String> {
    vec![
        format!("etcd://root:{CANARY}@{at}/x?timeout=2s"),
        format!("etcd://root:wrong-{CANARY}@{at}/x?timeout=2s"),
        format!("etcd://{at}/x?timeout=2s&user=root&password_file={file}"),
        format!("etcd://root:{CANARY}@{}/x?timeout=1s", closed),
        format!("etcd://root:{CANARY}@{at}/x?ttl={CANARY}"),
        format!("etcd://root:{CANARY}@{at}/x?{CANARY}=1"),
        format!("etcd://root:{CANARY}/x@{at}"),
        format!("etcd://me:{CANARY}:{CANARY}@{at}/x?ca={file}"),
        format!("memory://root:{CANARY}@name"),
    ]
}

fn consul_urls(consul: SocketAddr, closed: SocketAddr, file: &str) -> Vec<String> {
    vec![
        format!("consul://{consul}/x?timeout=2s&token={CANARY}"),
        format!("consul://{consul}/x?timeout=2s&token=wrong-{CANARY}"),
        format!("consul://{consul}/x?timeout=2s&token_file={file}"),
        format!("consul://{consul}/x?timeout=2s&token={CANARY}&token_file={file}"),
        format!("consul://{consul}/x?token={CANARY}%0Ax"),
        format!("consul://{},{consul}/x?timeout=1s&token={CANARY}", closed),
        format!("consul://{consul}/x?timeout=1s&token={CANARY}&ca={file}"),
        format!("consul://root:{CANARY}@{consul}/x"),
    ]
}

fn exhibitor_urls(ex: SocketAddr, zk: SocketAddr, closed: SocketAddr, file: &str) -> Vec<String> {
    vec![
        format!("exhibitor://root:{CANARY}@{ex}/x?timeout=2s"),
        format!("exhibitor://root:wrong-{CANARY}@{ex}/x?timeout=2s"),
        format!(
            "exhibitor://root@{ex}/x?timeout=2s&password_file={file}&zk_user=root&zk_password_file={file}"
        ),
        format!("exhibitor://root:{CANARY}@{},{zk}/x?timeout=1s", closed),
        format!("exhibitor://root:{CANARY}@{ex}/x?{CANARY}=1"),
        format!("exhibitor://root:{CANARY}@{ex}/x?fallback=a/{CANARY}&prefix={CANARY}"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_reaches_a_log_an_error_or_a_debug_text() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();

    let server = Etcd::start().await.expect("a server");
    let ctl = server.ctl().expect("etcdctl");
    let root = format!("root:{CANARY}");
    for command in
        [&["user", "add", root.as_str()][..], &["user", "grant-role", "root", "root"], &["auth", "enable"]]
    {
        let _ = ctl.run(command).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{CANARY}\n")).expect("written");
    let (at, file, closed) = (server.endpoint(), file.display(), free_port().expect("a port"));
    let zookeeper = ZooKeeper::start().await.expect("a server");
    let zk = zookeeper.endpoint();
    let login = ExhibitorOptions::default().login("root", CANARY);
    let listed = Listed::new(["127.0.0.1"], zk.port());
    let exhibitor = Exhibitor::start_with(listed, login).await.expect("an Exhibitor");
    let ex = exhibitor.endpoint();
    let options = ConsulOptions::default().token(CANARY);
    let agent = Consul::start_with(options).await.expect("an agent");
    let mut texts = Vec::new();
    let (shut, path) = (closed.address(), file.to_string());
    let urls = [
        etcd_urls(at, shut, &path),
        zookeeper_urls(zk, shut, &path),
        exhibitor_urls(ex, zk, shut, &path),
        consul_urls(agent.endpoint(), shut, &path),
    ];
    for url in urls.into_iter().flatten() {
        // A value that has a public kind may be repeated, so the canary must not stand there.
        if !url.contains(&format!("ttl={CANARY}")) {
            texts.push((url.replace(CANARY, "CANARY"), shown(&url).await));
        }
        if let Ok(parsed) = url.parse::<DialUrl>() {
            texts.push(("the URL itself".to_owned(), format!("{parsed} {parsed:?}")));
        }
    }
    texts.push(("a secret".to_owned(), format!("{} {0:?}", Secret::new(CANARY))));
    for (what, text) in &texts {
        assert!(!shows(text), "{what} shows the secret: {text}");
    }
    let text = log.text();
    assert!(text.len() > 10_000, "the log holds what the dependencies say, {} bytes", text.len());
    let leak = text.lines().find(|line| shows(line));
    assert!(leak.is_none(), "a log line shows the secret: {leak:?}");
}
