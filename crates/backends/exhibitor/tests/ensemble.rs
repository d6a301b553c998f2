//! A real Exhibitor before a real ensemble of three: servers come and go, Exhibitor comes and goes, and nothing that is registered is lost.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod stage;

use std::{sync::Arc, time::Duration};

use reception_core::{Client, ClientExt, Leadership, Registration, RegistrationState};
use reception_lab::{Exhibitor, Listed, ZooKeeperEnsemble, eventually};
use stage::{SOON, Witness, api, dial, instance, notes, told};
use zookeeper_client as zk;

/// Several polls of the clients here.
const A_WHILE: Duration = Duration::from_millis(1500);

struct Scene {
    ensemble: ZooKeeperEnsemble,
    exhibitor: Exhibitor,
    client: Arc<dyn Client>,
    registration: Registration,
    leadership: Leadership,
}

impl Scene {
    /// A client that has registered, leads and watches, while Exhibitor lists these members.
    async fn new(listed: &[usize]) -> (Self, Witness) {
        let ensemble = ZooKeeperEnsemble::start(3).await.unwrap();
        let exhibitor = Exhibitor::start(of(&ensemble, listed)).await.unwrap();
        let url = format!("exhibitor://{}/prod?ttl=6s&timeout=5s&poll=200ms", exhibitor.endpoint());
        let client = dial(&url).await.unwrap();
        let registration = client.register(instance("one")).await.unwrap();
        let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
        let leadership = elector.elect(instance("one")).await.unwrap();
        let mut witness = Witness::new(&registration, client.watch(&api()).await.unwrap());
        witness.shows(&["one"]).await;
        (Self { ensemble, exhibitor, client, registration, leadership }, witness)
    }

    /// Which member the session is on.
    async fn at(&self) -> usize {
        let (server, notes) = told(&self.client).await;
        let at = (0..3).find(|at| self.ensemble.endpoint(*at).to_string() == server);
        at.unwrap_or_else(|| panic!("{server:?} is no member ({notes})"))
    }

    async fn list(&self, listed: &[usize]) {
        self.exhibitor.list(of(&self.ensemble, listed)).await.unwrap();
        notes(&self.client, &[&format!("servers: {} live", listed.len())]).await;
    }

    /// The transaction that made the record: another one if it ever went.
    async fn made(&self, by: usize) -> i64 {
        let direct = zk::Client::connect(&self.ensemble.endpoint(by).to_string()).await.unwrap();
        direct.sync("/").await.unwrap();
        direct.check_stat("/prod/api/one").await.unwrap().unwrap().czxid
    }

    fn stands(&self) {
        assert!(matches!(self.registration.state(), RegistrationState::Active), "{:?}", self.registration);
        assert!(self.leadership.is_held());
    }

    async fn end(self) {
        drop((self.registration, self.leadership));
        self.client.close().await.unwrap();
    }
}

fn of(ensemble: &ZooKeeperEnsemble, listed: &[usize]) -> Listed {
    Listed::new(listed.iter().map(|at| ensemble.host(*at)), ensemble.port())
}

fn others(at: usize) -> Vec<usize> {
    (0..3).filter(|other| *other != at).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_or_goes_elsewhere_is_not_noticed() {
    let (scene, mut witness) = Scene::new(&[0, 1]).await;
    let (at, made) = (scene.at().await, scene.made(2).await);
    scene.list(&[0, 1, 2]).await;
    scene.list(&[2, 1, 0]).await;
    scene.list(&[at, 2]).await;
    tokio::time::sleep(A_WHILE).await;
    witness.saw_nothing(&["one"]);
    assert_eq!(scene.at().await, at);
    assert_eq!(scene.made(2).await, made);
    scene.stands();
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_leaves_a_server_that_is_none_any_more_and_one_that_dies() {
    let (scene, mut witness) = Scene::new(&[0, 1, 2]).await;
    let (first, made) = (scene.at().await, scene.made(0).await);
    // Still alive: the session is taken elsewhere all the same, as it is.
    scene.list(&others(first)).await;
    let moved = async || match told(&scene.client).await.0 {
        server if server == scene.ensemble.endpoint(first).to_string() => Err(server),
        server => Ok(server),
    };
    eventually(SOON, moved).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(scene.made(first).await, made);
    witness.look(&["one"]);
    scene.stands();
    // What is written and watched goes on there.
    let second = scene.client.register(instance("two")).await.unwrap();
    witness.shows(&["one", "two"]).await;
    second.close().await.unwrap();
    witness.shows(&["one"]).await;

    let now = scene.at().await;
    scene.ensemble.member(now).kill();
    eventually(SOON, || async {
        match told(&scene.client).await.0 {
            server if server.is_empty() || server == scene.ensemble.endpoint(now).to_string() => Err(server),
            server => Ok(server),
        }
    })
    .await
    .unwrap();
    assert!(![first, now].contains(&scene.at().await));
    eventually(SOON, || async {
        match scene.registration.state() {
            RegistrationState::Active => Ok(()),
            state => Err(format!("{state:?}")),
        }
    })
    .await
    .unwrap();
    assert_eq!(scene.made(first).await, made);
    witness.look(&["one"]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhibitor_that_stops_starts_and_loses_its_file_is_not_noticed() {
    let (scene, mut witness) = Scene::new(&[0, 1, 2]).await;
    let (at, made) = (scene.at().await, scene.made(0).await);
    scene.exhibitor.stop().await.unwrap();
    notes(&scene.client, &["servers: 3 cached", "last error"]).await;
    let second = scene.client.register(instance("two")).await.unwrap();
    witness.shows(&["one", "two"]).await;
    second.close().await.unwrap();
    witness.shows(&["one"]).await;
    scene.exhibitor.restart().await.unwrap();
    notes(&scene.client, &["servers: 3 live"]).await;
    // Without a file it lists nobody, with a good status.
    std::fs::remove_file(scene.exhibitor.file()).unwrap();
    notes(&scene.client, &["servers: 3 cached", "tells no servers"]).await;
    scene.list(&[at]).await;
    // Hung: it takes connections and answers nothing.
    scene.exhibitor.pause().unwrap();
    notes(&scene.client, &["servers: 1 cached", "no answer within"]).await;
    scene.exhibitor.resume().unwrap();
    scene.list(&[0, 1, 2]).await;
    witness.saw_nothing(&["one"]);
    assert_eq!((scene.at().await, scene.made(0).await), (at, made));
    scene.stands();
    scene.end().await;
}
