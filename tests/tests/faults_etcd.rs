//! Faults of one real etcd server: the program goes on, no stream ends, nothing flaps while the lease lives.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use reception::{Client, ClientExt as _, Leadership, Registration, RegistrationState, Service};
use reception_lab::{Etcd, Proxy, eventually};
use reception_tests::{Follower, PATIENCE, api, dial, patiently};

fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).attribute("zone", "a").build().expect("valid")
}

/// A program as a user writes it: two instances, a watch and a leadership.
struct Program {
    client: Arc<dyn Client>,
    registrations: Vec<Registration>,
    leadership: Leadership,
    follower: Follower,
}

impl Program {
    async fn start(url: &str) -> Self {
        let client = dial(url).await;
        let first = patiently("register", client.register(instance("i1"))).await.expect("registers");
        let elector = client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
        let leadership = patiently("elect", elector.elect(instance("i1"))).await.expect("elected");
        let mut follower = Follower::start(&*client, &api()).await;
        // A change after the first view shows that the watch is open: a fault before that breaks nothing.
        let second = patiently("register", client.register(instance("i2"))).await.expect("registers");
        follower.until("both instances", |follower| follower.ids().len() == 2).await;
        let registrations = vec![first, second];
        Self { client, registrations, leadership, follower }
    }

    /// After a fault that the lease outlived: everything as before, and the program still works.
    async fn must_be_whole(mut self, outside: &mut Follower) {
        assert!(self.leadership.is_held(), "the leadership outlives the fault: {:?}", self.leadership);
        for registration in &self.registrations {
            let active = || async {
                match registration.state() {
                    RegistrationState::Active => Ok(()),
                    other => Err(other),
                }
            };
            eventually(PATIENCE, active).await.expect("active again");
        }
        let drained =
            self.registrations[0].service().to_builder().attribute("zone", "b").build().expect("valid");
        patiently("update", self.registrations[0].update(drained)).await.expect("updates");
        let third = patiently("register", self.client.register(instance("i3"))).await.expect("registers");
        self.follower.until("the third instance", |follower| follower.ids().len() == 3).await;
        outside.until("the third instance", |follower| follower.ids().len() == 3).await;
        for follower in [&self.follower, outside] {
            let after_both = follower.shown.iter().skip_while(|ids| ids.len() < 2);
            assert!(
                after_both.clone().all(|ids| ids.contains("i1") && ids.contains("i2")),
                "nothing flaps: {:?}",
                follower.shown
            );
        }
        patiently("close", third.close()).await.expect("closes");
        patiently("resign", self.leadership.resign()).await.expect("resigns");
        for registration in self.registrations {
            patiently("close", registration.close()).await.expect("closes");
        }
        patiently("close", self.client.close()).await.expect("closes");
        outside.until("nobody", |follower| follower.ids().is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_of_1200_ms_changes_nothing() {
    let server = Etcd::start().await.expect("a server");
    let proxy = Proxy::start(server.endpoint()).await.expect("a proxy");
    let outside = dial(&format!("etcd://{}/cut?ttl=10s", server.endpoint())).await;
    let mut beside = Follower::start(&*outside, &api()).await;
    let mut program = Program::start(&format!("etcd://{}/cut?ttl=10s", proxy.endpoint())).await;
    let resets = program.follower.resets;

    proxy.cut().await.expect("cuts");
    program.follower.linger(Duration::from_millis(1_200)).await;
    assert!(program.follower.stales > 0, "a cut shows as Stale");
    assert_eq!(program.follower.ids().len(), 2, "Stale keeps the view");
    proxy.heal().await.expect("heals");

    program.follower.until("a whole view after the cut", |follower| follower.resets > resets).await;
    program.must_be_whole(&mut beside).await;
    assert_eq!(beside.stales, 0, "a watch beside the cut sees none of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_and_restarted_with_its_data_changes_nothing() {
    let server = Etcd::start().await.expect("a server");
    let url = format!("etcd://{}/kill?ttl=10s", server.endpoint());
    let outside = dial(&url).await;
    let mut beside = Follower::start(&*outside, &api()).await;
    let mut program = Program::start(&url).await;
    let resets = program.follower.resets;

    server.kill();
    server.restart().await.expect("restarts");

    program.follower.until("a whole view after the restart", |follower| follower.resets > resets).await;
    program.must_be_whole(&mut beside).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_leases_are_told_and_repaired() {
    let server = Etcd::start().await.expect("a server");
    let url = format!("etcd://{}/revoke?ttl=10s", server.endpoint());
    let mut program = Program::start(&url).await;
    let token = program.leadership.token();
    let before = program.follower.shown.len();

    let ctl = server.ctl().expect("etcdctl");
    let leases = ctl.run(&["lease", "list"]).await.expect("lists").stdout;
    let is_lease = |line: &&str| line.len() == 16 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    for lease in leases.lines().map(str::trim).filter(is_lease) {
        ctl.run(&["lease", "revoke", lease]).await.expect("revokes");
    }

    tokio::time::timeout(Duration::from_secs(2), program.leadership.lost())
        .await
        .expect("the loss is told at once");
    assert!(!program.leadership.is_held());
    // A removal and its return may show as no change at all, so the store is asked, not the watch.
    let keys = || async {
        let found =
            ctl.run(&["get", "--prefix", "--keys-only", "revoke/services/"]).await.expect("lists").stdout;
        if found.split_whitespace().count() == 2 { Ok(()) } else { Err(found) }
    };
    eventually(PATIENCE, keys).await.expect("both are back");
    program.follower.linger(Duration::from_millis(500)).await;
    assert_eq!(program.follower.ids().len(), 2);
    for registration in &program.registrations {
        assert!(!matches!(registration.state(), RegistrationState::Ended(_)), "{registration:?}");
    }
    for id in ["i1", "i2"] {
        let held: Vec<bool> =
            program.follower.shown.iter().skip(before - 1).map(|ids| ids.contains(id)).collect();
        let removals = held.windows(2).filter(|pair| pair[0] && !pair[1]).count();
        assert!(removals <= 1, "at most one removal of {id}: {:?}", program.follower.shown);
    }
    let elector = program.client.elector(&"reaper".parse().expect("a name")).await.expect("an elector");
    let again = patiently("elect", elector.elect(instance("i1"))).await.expect("elected again");
    assert!(again.token() > token, "{token} then {}", again.token());
    program.client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_deleted_by_somebody_else_is_written_again() {
    let server = Etcd::start().await.expect("a server");
    let url = format!("etcd://{}/delete?ttl=4s", server.endpoint());
    let mut program = Program::start(&url).await;
    let before = program.follower.shown.len();
    let ctl = server.ctl().expect("etcdctl");
    ctl.run(&["del", "delete/services/api/i1"]).await.expect("deletes");
    program
        .follower
        .until("the return", |follower| follower.shown.len() > before + 1 && follower.ids().len() == 2)
        .await;
    assert!(program.leadership.is_held());

    ctl.run(&["del", "--prefix", "delete/elections/reaper/"]).await.expect("deletes");
    tokio::time::timeout(Duration::from_secs(2), program.leadership.lost())
        .await
        .expect("the loss is told at once");
    program.client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_lost_its_data_and_came_further_is_not_taken_for_the_old_one() {
    let server = Etcd::start().await.expect("a server");
    let proxy = Proxy::start(server.endpoint()).await.expect("a proxy");
    let old = dial(&format!("etcd://{}/overtake?ttl=60s", server.endpoint())).await;
    let mut guards = Vec::new();
    for id in ["i1", "i2"] {
        guards.push(patiently("register", old.register(instance(id))).await.expect("registers"));
    }
    let reader = dial(&format!("etcd://{}/overtake?ttl=10s", proxy.endpoint())).await;
    let mut follower = Follower::start(&*reader, &api()).await;
    guards.push(patiently("register", old.register(instance("i3"))).await.expect("registers"));
    follower.until("the third instance", |follower| follower.ids().len() == 3).await;
    let resets = follower.resets;

    proxy.cut().await.expect("cuts");
    drop(guards);
    old.close().await.expect("closes");
    server.wipe().await.expect("wiped and started");
    let new = dial(&format!("etcd://{}/overtake?ttl=60s", server.endpoint())).await;
    let mut others = Vec::new();
    for id in ["j1", "j2", "j3"] {
        others.push(patiently("register", new.register(instance(id))).await.expect("registers"));
    }
    let ctl = server.ctl().expect("etcdctl");
    for round in 0..20 {
        ctl.run(&["put", "elsewhere", &round.to_string()]).await.expect("puts");
    }
    proxy.heal().await.expect("heals");

    follower.until("a whole view", |follower| follower.resets > resets).await;
    assert!(
        follower.ids().iter().all(|id| id.starts_with('j')),
        "the view is the new store's: {:?}",
        follower.ids()
    );
    assert_eq!(follower.ids().len(), 3);
    for client in [reader, new] {
        client.close().await.expect("closes");
    }
}
