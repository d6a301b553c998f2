//! Lists that lie, change all the time, or name servers that are no use: what stands stays, and a list that is right again is used at once.

use std::{net::TcpListener, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reception_core::{Change, Client, ClientExt, ErrorKind, RegistrationState};
use reception_lab::{ZooKeeper, eventually};
use tokio::time::Instant;

use crate::{
    stage::{SOON, Witness, api, dial, instance, notes, told},
    standin::Standin,
};

const JSON: &str = "Content-Type: application/json\r\n";

/// Servers that take connections and say nothing, on the port of a real one.
struct Silent {
    hosts: Vec<String>,
    _doors: Vec<TcpListener>,
}

impl Silent {
    fn new(port: u16, count: u8) -> Self {
        let hosts: Vec<String> = (0..count).map(|at| format!("127.0.7.{}", at + 1)).collect();
        let doors = hosts.iter().map(|host| TcpListener::bind((host.as_str(), port)).unwrap()).collect();
        Self { hosts, _doors: doors }
    }
}

fn json(hosts: &[String], port: u16) -> String {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
    format!(r#"{{"servers":[{}],"port":{port}}}"#, hosts.join(","))
}

fn real() -> Vec<String> {
    vec!["127.0.0.1".to_owned()]
}

struct Scene {
    zookeeper: ZooKeeper,
    port: u16,
    standin: Standin,
    client: Arc<dyn Client>,
}

impl Scene {
    async fn new() -> Self {
        let zookeeper = ZooKeeper::start().await.unwrap();
        let standin = Standin::start().await;
        let url = format!("exhibitor://{}/prod?ttl=6s&timeout=3s&poll=100ms", standin.endpoint());
        let port = zookeeper.endpoint().port();
        Self { zookeeper, port, standin, client: dial(&url).await.unwrap() }
    }

    fn lists(&self, hosts: &[String]) {
        self.standin.answers("200 OK", JSON, &json(hosts, self.port));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_mended_is_used_before_the_silent_ones_of_the_last_were_all_tried() {
    let scene = Scene::new().await;
    let silent = Silent::new(scene.port, 40);
    scene.lists(&silent.hosts);
    let refused = scene.client.list(&api()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    scene.lists(&real());
    let begun = Instant::now();
    eventually(SOON, || async { scene.client.list(&api()).await.map(drop) }).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    scene.client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_among_servers_that_are_no_use_stays_and_its_broken_link_is_told_in_time() {
    let scene = Scene::new().await;
    scene.lists(&real());
    let registration = scene.client.register(instance("one")).await.unwrap();
    let mut witness = Witness::new(&registration, scene.client.watch(&api()).await.unwrap());
    witness.shows(&["one"]).await;
    let silent = Silent::new(scene.port, 40);
    scene.lists(&silent.hosts);
    notes(&scene.client, &["servers: 40 live"]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    witness.saw_nothing(&["one"]);
    let mut watcher = scene.client.watch(&api()).await.unwrap();
    assert!(matches!(watcher.next().await.unwrap().unwrap(), Change::Reset(_)));
    scene.zookeeper.kill();
    let begun = Instant::now();
    let stale = tokio::time::timeout(Duration::from_secs(10), watcher.next()).await;
    assert!(matches!(stale, Ok(Some(Ok(Change::Stale(_))))), "{stale:?} after {:?}", begun.elapsed());
    // It is mended before the session is over: nothing was lost.
    scene.zookeeper.restart().await.unwrap();
    scene.lists(&real());
    eventually(SOON, || async {
        match registration.state() {
            RegistrationState::Active => Ok(()),
            state => Err(format!("{state:?}")),
        }
    })
    .await
    .unwrap();
    witness.look(&["one"]);
    scene.client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_that_is_mended_at_the_exhibitor_lets_calls_through_at_once() {
    let scene = Scene::new().await;
    scene.standin.answers("401 Unauthorized", "", "");
    let refused = scene.client.list(&api()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused}");
    scene.lists(&real());
    let begun = Instant::now();
    eventually(SOON, || async { scene.client.list(&api()).await.map(drop) }).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    scene.client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_changes_with_every_poll_is_not_noticed() {
    let scene = Scene::new().await;
    scene.lists(&real());
    let registration = scene.client.register(instance("one")).await.unwrap();
    let mut witness = Witness::new(&registration, scene.client.watch(&api()).await.unwrap());
    witness.shows(&["one"]).await;
    let silent = Silent::new(scene.port, 8);
    // Ours comes and goes as well.
    for round in 0..30_usize {
        let mut hosts = silent.hosts[round % 8..].to_vec();
        hosts.extend(real().into_iter().filter(|_| round % 3 > 0));
        scene.lists(&hosts);
        tokio::time::sleep(Duration::from_millis(130)).await;
    }
    scene.lists(&real());
    witness.saw_nothing(&["one"]);
    let (server, _) = told(&scene.client).await;
    assert_eq!(server, scene.zookeeper.endpoint().to_string());
    scene.client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_made_anew_on_another_store_and_a_stranger_in_the_list_takes_nothing() {
    let scene = Scene::new().await;
    let other = ZooKeeper::start().await.unwrap();
    scene.lists(&real());
    let registration = scene.client.register(instance("one")).await.unwrap();
    let elector = scene.client.elector(&"reaper".parse().unwrap()).await.unwrap();
    let first = elector.elect(instance("one")).await.unwrap();
    let mut witness = Witness::new(&registration, scene.client.watch(&api()).await.unwrap());
    witness.shows(&["one"]).await;
    // A name that leads to the same server, and one that leads nowhere.
    scene.lists(&["127.0.0.1".to_owned(), "surely-not-a-host.invalid".to_owned()]);
    notes(&scene.client, &["servers: 2 live"]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    witness.saw_nothing(&["one"]);
    assert!(first.is_held());

    let token = first.token();
    scene.standin.answers("200 OK", JSON, &json(&real(), other.endpoint().port()));
    let url = format!("exhibitor://{}/prod?ttl=6s&timeout=3s", scene.standin.endpoint());
    let elsewhere = dial(&url).await.unwrap();
    eventually(SOON, || async {
        match elsewhere.list(&api()).await {
            Ok(all) if all.len() == 1 => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await
    .unwrap();
    first.lost().await;
    let second = elector.elect(instance("one")).await.unwrap();
    assert_ne!(second.token().domain(), token.domain());
    second.resign().await.unwrap();
    registration.close().await.unwrap();
    scene.client.close().await.unwrap();
    elsewhere.close().await.unwrap();
}
