//! What the store does to a gate.

use reception::{
    Capabilities, ElectOptions, ElectionName, Elector, Error, ErrorKind, ListOptions, OnConflict, Probe,
    RegisterOptions, Registration, Result, ServiceName, Snapshot, WatchOptions, Watcher, async_trait,
    health::{self, GateOptions},
};
use std::{collections::BTreeSet, sync::Mutex};
use tokio::{sync::Semaphore, time::Instant};

use super::*;

fn policy(on_conflict: OnConflict) -> GateOptions {
    GateOptions::default().rise(1).register(RegisterOptions::default().on_conflict(on_conflict))
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_at_first_may_be_fatal() {
    let (cluster, client) = memory();
    cluster.faults().partition();
    let gate =
        health::gate(client.clone(), api(), health::always(), policy(OnConflict::Wait).first_is_fatal(true));
    let gate = gate.unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "lost: unavailable");
    assert_eq!(story.next().await, "end");
    assert_eq!(gate.close().await.expect_err("lost").kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_long_outage_before_the_first_registration_is_sat_out() {
    let (cluster, client) = memory();
    cluster.faults().partition();
    let gate = health::gate(client.clone(), api(), health::always(), policy(OnConflict::Wait)).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "unconfirmed: unavailable");
    // Much longer than another owner is waited out: the client holds the id itself while it cannot withdraw.
    tokio::time::sleep(seconds(300)).await;
    cluster.faults().heal();
    assert_eq!(story.next().await, "registered one", "told once an outage");
    gate.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_later_registration_is_tried_again_also_when_the_first_would_be_fatal() {
    let (cluster, client) = memory();
    let switch = Switch::good();
    let options = policy(OnConflict::Wait).fall(1).first_is_fatal(true);
    let gate = health::gate(client.clone(), api(), switch.check(), options).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "registered one");
    switch.turn(false);
    assert_eq!(story.next().await, "withdrawn");
    cluster.faults().partition();
    switch.turn(true);
    assert_eq!(story.next().await, "unconfirmed: unavailable");
    cluster.faults().heal();
    assert_eq!(story.next().await, "registered one");
    gate.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn doubt_is_told_once_and_so_is_its_end_whether_or_not_it_was_registered_again() {
    let (cluster, client) = memory();
    let gate = health::gate(client.clone(), api(), health::always(), policy(OnConflict::Wait)).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "registered one");
    for outage in [seconds(4), seconds(40)] {
        cluster.faults().of(&client).partition();
        assert_eq!(story.next().await, "doubtful: unavailable");
        tokio::time::sleep(outage).await;
        cluster.faults().heal();
        assert_eq!(story.next().await, "recovered");
        assert_eq!(shown(&*client).await, ["one"]);
    }
    gate.close().await.unwrap();
    assert_eq!(story.next().await, "end");
}

#[tokio::test(start_paused = true)]
async fn another_owner_is_waited_out_for_the_crash_bound_and_ends_the_gate_then() {
    let (cluster, client) = memory();
    let other = cluster.client(Options::default()).unwrap();
    let owner = other.register(api()).await.unwrap();
    for (on_conflict, waits) in [(OnConflict::Wait, 10), (OnConflict::Fail, 0)] {
        let begun = Instant::now();
        let gate = health::gate(client.clone(), api(), health::always(), policy(on_conflict)).unwrap();
        let mut story = Story::of(&gate);
        assert_eq!(story.next().await, "lost: conflict");
        assert_eq!(begun.elapsed().as_secs(), waits, "{on_conflict:?}");
        assert_eq!(gate.close().await.expect_err("lost").kind(), ErrorKind::Conflict);
    }
    // A dying one: its lease runs out while the gate waits.
    cluster.faults().of(&other).crash().await;
    let gate = health::gate(client.clone(), api(), health::always(), policy(OnConflict::Wait)).unwrap();
    assert_eq!(Story::of(&gate).next().await, "registered one");
    gate.close().await.unwrap();
    drop(owner);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_waits_for_another_owner_closes_at_once() {
    let (cluster, client) = memory();
    let other = cluster.client(Options::default()).unwrap();
    let _owner = other.register(api()).await.unwrap();
    let gate = health::gate(client, api(), health::always(), policy(OnConflict::Wait)).unwrap();
    tokio::time::sleep(Duration::from_millis(777)).await;
    let begun = Instant::now();
    gate.close().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(shown(&other).await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_gate_whose_id_is_taken_over_is_lost() {
    let (cluster, client) = memory();
    let gate = health::gate(client, api(), health::always(), policy(OnConflict::Wait)).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "registered one");
    let other = cluster.client(Options::default()).unwrap();
    let usurper =
        health::gate(Arc::new(other), api(), health::always(), policy(OnConflict::Replace)).unwrap();
    assert_eq!(Story::of(&usurper).next().await, "registered one");
    assert_eq!(story.next().await, "lost: conflict");
    assert_eq!(story.next().await, "end");
    assert_eq!(gate.close().await.expect_err("lost").kind(), ErrorKind::Conflict);
    usurper.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_took_the_id_while_the_gate_was_shut_is_not_replaced() {
    let (cluster, client) = memory();
    let switch = Switch::good();
    let gate =
        health::gate(client.clone(), api(), switch.check(), policy(OnConflict::Replace).fall(1)).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "registered one");
    switch.turn(false);
    assert_eq!(story.next().await, "withdrawn");
    let other = cluster.client(Options::default()).unwrap();
    let owner = other.register(api()).await.unwrap();
    switch.turn(true);
    assert_eq!(story.next().await, "lost: conflict");
    owner.close().await.unwrap();
    drop(gate);
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_without_an_answer_is_told_and_confirmed_later() {
    let (cluster, client) = memory();
    let switch = Switch::good();
    let gate = health::gate(client.clone(), api(), switch.check(), policy(OnConflict::Wait).fall(1)).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "registered one");
    cluster.faults().of(&client).silence();
    switch.turn(false);
    let mut told = story.next().await;
    if told.starts_with("doubtful") {
        told = story.next().await;
    }
    assert_eq!(told, "unconfirmed: timeout");
    cluster.faults().heal();
    assert_eq!(story.next().await, "withdrawn");
    assert!(shown(&*client).await.is_empty());
    switch.turn(true);
    assert_eq!(story.next().await, "registered one");
    gate.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_close_without_an_answer_is_an_error_and_the_instance_vanishes_later() {
    for (silent, kind) in [(false, ErrorKind::Unavailable), (true, ErrorKind::Timeout)] {
        let (cluster, client) = memory();
        let gate = health::gate(client.clone(), api(), health::always(), policy(OnConflict::Wait)).unwrap();
        assert_eq!(Story::of(&gate).next().await, "registered one");
        let faults = cluster.faults().of(&client);
        if silent {
            faults.silence();
        } else {
            faults.partition();
        }
        let begun = Instant::now();
        assert_eq!(gate.close().await.expect_err("not confirmed").kind(), kind);
        let limit = Options::default().timeout + Duration::from_millis(100);
        assert!(begun.elapsed() <= limit, "{:?}", begun.elapsed());
        let other = cluster.client(Options::default()).unwrap();
        until_shown(&other, &[]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_closed_ends_the_gate() {
    let (_, client) = memory();
    let gate = health::gate(client.clone(), api(), health::always(), policy(OnConflict::Wait)).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "registered one");
    client.close().await.unwrap();
    assert_eq!(story.next().await, "lost: closed");
    assert_eq!(gate.close().await.expect_err("lost").kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_can_only_be_read_ends_the_gate() {
    let double = Arc::new(Double::over(memory().1));
    double.refuse(ErrorKind::Unsupported);
    let gate = health::gate(double, api(), health::always(), policy(OnConflict::Wait)).unwrap();
    assert_eq!(Story::of(&gate).next().await, "lost: unsupported");
}

#[tokio::test(start_paused = true)]
async fn what_the_tries_say_during_a_registration_is_done_after_it() {
    let (_, client) = memory();
    let double = Arc::new(Double::over(client.clone()));
    double.hold();
    let switch = Switch::good();
    let options = policy(OnConflict::Wait).fall(1);
    let gate = health::gate(double.clone(), api(), switch.check(), options).unwrap();
    let mut story = Story::of(&gate);
    in_time(double.until_asked(1)).await;
    switch.turn(false);
    tokio::time::sleep(seconds(2)).await;
    double.release();
    assert_eq!(story.next().await, "registered one");
    assert_eq!(story.next().await, "withdrawn");
    assert!(shown(&*client).await.is_empty());
    assert_eq!(double.asked(), 1, "one registration at a time");
    gate.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closing_during_a_registration_waits_for_it_and_withdraws() {
    let (_, client) = memory();
    let double = Arc::new(Double::over(client.clone()));
    double.hold();
    let gate = health::gate(double.clone(), api(), health::always(), policy(OnConflict::Wait)).unwrap();
    in_time(double.until_asked(1)).await;
    let (closed, ()) = tokio::join!(gate.close(), async {
        tokio::time::sleep(seconds(1)).await;
        double.release();
    });
    closed.unwrap();
    assert!(shown(&*client).await.is_empty());
}

/// A client whose registrations wait or fail as the test wants.
#[derive(Debug)]
struct Double {
    inner: Arc<MemoryClient>,
    gate: Semaphore,
    asked: tokio::sync::watch::Sender<u32>,
    refusal: Mutex<Option<ErrorKind>>,
}

impl Double {
    fn over(inner: Arc<MemoryClient>) -> Self {
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        Self { inner, gate, asked: tokio::sync::watch::Sender::new(0), refusal: Mutex::default() }
    }

    fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn release(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    fn refuse(&self, kind: ErrorKind) {
        *self.refusal.lock().expect("no panic under it") = Some(kind);
    }

    fn asked(&self) -> u32 {
        *self.asked.borrow()
    }

    async fn until_asked(&self, times: u32) {
        self.asked.subscribe().wait_for(|asked| *asked >= times).await.expect("it lives");
    }
}

#[async_trait]
impl Client for Double {
    fn backend(&self) -> &'static str {
        "double"
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn register_with(&self, service: Service, options: RegisterOptions) -> Result<Registration> {
        self.asked.send_modify(|asked| *asked += 1);
        let refusal = *self.refusal.lock().expect("no panic under it");
        if let Some(kind) = refusal {
            return Err(Error::new(kind, "double", "register", "on purpose"));
        }
        let _permit = self.gate.acquire().await.expect("never closed");
        self.inner.register_with(service, options).await
    }
    async fn list_with(&self, name: &ServiceName, options: ListOptions) -> Result<Snapshot> {
        self.inner.list_with(name, options).await
    }
    async fn watch_with(&self, name: &ServiceName, options: WatchOptions) -> Result<Box<dyn Watcher>> {
        self.inner.watch_with(name, options).await
    }
    async fn elector_with(&self, name: &ElectionName, options: ElectOptions) -> Result<Box<dyn Elector>> {
        self.inner.elector_with(name, options).await
    }
    async fn names(&self) -> Result<BTreeSet<ServiceName>> {
        self.inner.names().await
    }
    async fn probe(&self) -> Result<Probe> {
        self.inner.probe().await
    }
    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
