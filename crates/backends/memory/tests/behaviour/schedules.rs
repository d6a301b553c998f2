//! Many seeded schedules of faults, after which everything must be whole again. A failure names its seed.

use std::{sync::Mutex, time::Duration};

use futures_util::{StreamExt as _, future::join_all};
use reception_core::{ClientExt as _, Elector, FencingToken, Tenure, Watcher};
use reception_memory::{Cluster, Faults, MemoryClient};

use crate::{TTL, api, client, close, eventually, pass, service, soon};

const SEEDS: u64 = 40;
const CLIENTS: usize = 3;
/// How long faults happen, and how many there are in that time.
const STORM: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(100);

/// A small generator: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)) >> 11) % bound
    }

    fn up_to(&mut self, span: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(span.as_millis()).unwrap()))
    }
}

/// Who leads, and the largest token so far.
#[derive(Default)]
struct Referee {
    tenures: Vec<Tenure>,
    latest: Option<FencingToken>,
    storm_is_over: bool,
}

impl Referee {
    fn elected(&mut self, seed: u64, tenure: Tenure) {
        let token = tenure.token();
        assert!(
            self.latest.is_none_or(|latest| latest < token),
            "seed {seed}: {token} after {:?}",
            self.latest
        );
        self.latest = Some(token);
        self.tenures.push(tenure);
        self.look(seed);
    }

    fn look(&mut self, seed: u64) {
        self.tenures.retain(Tenure::is_held);
        assert!(self.tenures.len() <= 1, "seed {seed}: two lead at once: {:?}", self.tenures);
    }
}

fn strike(faults: &Faults, dice: &mut Dice) {
    match dice.below(9) {
        0 => faults.partition(),
        1 => faults.silence(),
        2 => faults.delay(dice.up_to(Duration::from_secs(2))),
        3 => faults.pause(),
        4 => faults.restart(),
        5 => faults.stall(dice.up_to(TTL)),
        6 => faults.compact(),
        _ => {
            faults.heal();
            faults.resume();
        }
    }
}

async fn storm(cluster: &Cluster, clients: &[MemoryClient], mut dice: Dice) {
    let start = tokio::time::Instant::now();
    while start.elapsed() < STORM {
        let unlucky = usize::try_from(dice.below(CLIENTS as u64)).unwrap();
        strike(&cluster.faults().of(&clients[unlucky]), &mut dice);
        pass(dice.up_to(TTL / 2)).await;
    }
    cluster.faults().heal();
    cluster.faults().resume();
}

async fn contend(seed: u64, elector: &dyn Elector, id: &str, referee: &Mutex<Referee>, mut dice: Dice) {
    while !referee.lock().unwrap().storm_is_over {
        let won = tokio::time::timeout(TTL, elector.elect(service(id))).await;
        let Ok(Ok(leadership)) = won else {
            pass(TTL / 4).await;
            continue;
        };
        referee.lock().unwrap().elected(seed, leadership.tenure());
        let until = tokio::time::Instant::now() + dice.up_to(2 * TTL);
        while leadership.is_held() && tokio::time::Instant::now() < until {
            referee.lock().unwrap().look(seed);
            pass(TICK).await;
        }
        if dice.below(2) == 0 {
            drop(leadership.resign().await);
        }
    }
}

async fn follow(watcher: &mut Box<dyn Watcher>, referee: &Mutex<Referee>) {
    while !referee.lock().unwrap().storm_is_over {
        if let Ok(item) = tokio::time::timeout(TICK, watcher.next()).await {
            item.unwrap().unwrap();
        }
    }
}

async fn play(seed: u64) {
    let cluster = Cluster::on_tokio_time();
    let clients: Vec<_> = (0..CLIENTS).map(|_| client(&cluster)).collect();
    let referee = Mutex::new(Referee::default());
    let (mut electors, mut registrations, mut watchers) = (Vec::new(), Vec::new(), Vec::new());
    for (n, client) in clients.iter().enumerate() {
        electors.push(client.elector(&"reaper".parse().unwrap()).await.unwrap());
        registrations.push(client.register(service(&format!("i{n}"))).await.unwrap());
        watchers.push(client.watch(&api()).await.unwrap());
    }
    let contenders = electors.iter().enumerate().map(|(n, elector)| {
        let dice = Dice(seed.wrapping_mul(31).wrapping_add(n as u64));
        let (id, referee) = (format!("c{n}"), &referee);
        async move { contend(seed, &**elector, &id, referee, dice).await }
    });
    let followers = watchers.iter_mut().map(|watcher| follow(watcher, &referee));
    let storm = async {
        storm(&cluster, &clients, Dice(seed)).await;
        referee.lock().unwrap().storm_is_over = true;
    };
    tokio::join!(storm, join_all(contenders), join_all(followers));

    eventually(async || clients[0].list(&api()).await.is_ok_and(|view| view.len() == CLIENTS)).await;
    for watcher in &mut watchers {
        let whole = async {
            while watcher.current().is_none_or(|view| view.len() < CLIENTS) {
                watcher.next().await.unwrap().unwrap();
            }
        };
        soon(whole).await;
    }
    let leadership = soon(electors[0].elect(service("last"))).await.unwrap();
    assert!(referee.lock().unwrap().latest.is_none_or(|latest| latest < leadership.token()), "seed {seed}");
    for client in clients {
        close(client).await;
    }
    assert!(cluster.residue("").unwrap().is_empty(), "seed {seed}: {:?}", cluster.residue(""));
}

#[test]
fn after_any_storm_of_faults_everything_is_whole_and_nobody_led_beside_another() {
    for seed in 0..SEEDS {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(play(seed))));
        assert!(played.is_ok(), "seed {seed}");
    }
}
