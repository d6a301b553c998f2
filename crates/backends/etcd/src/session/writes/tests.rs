//! Which writes go together and when, and what becomes of each on a real server.

use std::time::Duration;

use etcd_client::{Client, ConnectOptions, PutOptions};
use reception_core::Clock;
use reception_kit::Supervisor;
use reception_lab::{Etcd, EtcdOptions};

use super::*;
use crate::{
    layout::Layout,
    session::{Endpoint, Recipe, fresh_lease},
};

const OPERATION: &str = "register";

fn at(millis: u64) -> Moment {
    Moment::from_duration(Duration::from_secs(60)).saturating_add(Duration::from_millis(millis))
}

fn put(key: &str, guard: Guard, size: usize, lease: i64) -> Write {
    Write::put(key, guard, vec![b'x'; size], lease, format!("gone/{key}"))
}

fn patience(total: u64) -> Patience {
    let total = Duration::from_secs(total);
    Patience { total, each: total, rounds: 2, until: Duration::ZERO, through_close: true }
}

struct Desk {
    table: Table,
    replies: Vec<oneshot::Receiver<Outcome>>,
}

impl Desk {
    fn new() -> Self {
        Self { table: Table::default(), replies: Vec::new() }
    }

    fn queue(&mut self, write: Write, patience: Patience, since: Moment) {
        let (reply, told) = oneshot::channel();
        self.replies.push(told);
        let member = Member { write, reply };
        self.table.queue.push_back(Waiting { operation: OPERATION, patience, since, member });
    }

    fn many(count: usize, size: usize) -> Self {
        let mut desk = Self::new();
        for number in 0..count {
            desk.queue(put(&format!("k{number}"), Guard::Free, size, 1), patience(1), at(0));
        }
        desk
    }

    fn take(&mut self) -> usize {
        self.table.take(OPERATIONS).len()
    }
}

#[test]
fn a_write_waits_only_behind_others_and_not_for_long() {
    let mut desk = Desk::many(1, 10);
    assert!(desk.table.is_due(at(0)), "nothing is under way");
    desk.table.flights = 1;
    assert!(!desk.table.is_due(at(0)));
    assert!(desk.table.is_due(at(20)), "the way is long");
    assert_eq!(desk.table.due_at(), at(20));
    desk.table.flights = FLIGHTS;
    assert!(!desk.table.is_due(at(1_000)));
    assert_eq!(desk.table.due_at(), Moment::NEVER);
    let mut full = Desk::many(OPERATIONS / 2, 10);
    full.table.flights = 1;
    assert!(full.table.is_due(at(0)), "there is no room for more company");
}

#[test]
fn a_crowd_is_waited_for_while_it_grows() {
    let desk = Desk::many(10, 10);
    assert_eq!(desk.table.growing(0, at(0)), Some(10));
    assert_eq!(desk.table.growing(9, at(1)), Some(10));
    assert_eq!(desk.table.growing(10, at(1)), None, "nobody came");
    assert_eq!(desk.table.growing(9, at(20)), None, "long enough");
    assert_eq!(Desk::many(OPERATIONS / 2, 10).table.growing(0, at(0)), None, "no room");
    assert_eq!(Desk::many(CROWD - 1, 10).table.growing(0, at(0)), None, "no crowd");
}

#[test]
fn a_batch_keeps_the_limits_of_operations_and_of_bytes() {
    let mut desk = Desk::many(100, 10);
    assert_eq!(desk.take(), OPERATIONS / 2, "two comparisons each");
    assert_eq!(desk.take(), 36);
    let mut large = Desk::many(5, 20 * 1024);
    assert_eq!((large.take(), large.take(), large.take()), (2, 2, 1));
    let mut larger = Desk::many(2, 60 * 1024);
    assert_eq!((larger.take(), larger.take(), larger.take()), (1, 1, 0), "alone, but not left behind");
    let mut few = Desk::many(5, 10);
    assert_eq!(few.table.take(2).len(), 2, "as many as the server takes");
}

#[test]
fn only_what_is_alike_goes_together() {
    let mut desk = Desk::new();
    desk.queue(put("a", Guard::Free, 10, 1), patience(1), at(0));
    desk.queue(Write::delete("b", 7), patience(2), at(0));
    desk.queue(put("a", Guard::At(3), 10, 1), patience(1), at(0));
    desk.queue(put("c", Guard::Free, 10, 2), patience(1), at(0));
    desk.queue(put("d", Guard::Free, 10, 2), patience(1), at(0));
    drop(desk.replies.pop());
    let first: Vec<_> = desk.table.take(OPERATIONS).into_iter().map(|one| one.member.write.key).collect();
    assert_eq!(first, ["a", "c"], "each key once, and nobody who does not wait any more");
    assert_eq!((desk.take(), desk.take(), desk.take()), (1, 1, 0), "the others go in their turn");
}

struct Stage {
    _etcd: Etcd,
    store: Client,
    session: Arc<Session>,
    leases: [i64; 2],
}

impl Stage {
    async fn start(options: EtcdOptions) -> Self {
        let etcd = Etcd::start_with(options).await.unwrap();
        let store = Client::connect([etcd.endpoint().to_string()], None).await.unwrap();
        let recipe = Recipe { url: etcd.url(), options: ConnectOptions::new() };
        let endpoint = Endpoint::dial(etcd.endpoint().to_string(), recipe, None).await.unwrap();
        let supervisor = Supervisor::new("etcd").unwrap();
        let times = (Duration::from_secs(5), Duration::from_secs(60));
        let session =
            Session::new(Layout::new("test").unwrap(), supervisor, Clock::BOOT, times, vec![endpoint]);
        let mut leases = [fresh_lease(), fresh_lease()];
        for lease in &mut leases {
            session.grant(OPERATION, *lease, session.patient()).await.unwrap();
        }
        Self { _etcd: etcd, store, session, leases }
    }

    /// Plays the writes as one batch, and tells what each was told.
    async fn play(&self, writes: Vec<Write>) -> Vec<Outcome> {
        let (members, replies): (Vec<_>, Vec<_>) = writes
            .into_iter()
            .map(|write| {
                let (reply, told) = oneshot::channel();
                (Member { write, reply }, told)
            })
            .unzip();
        batch::play(&self.session, OPERATION, self.session.patient(), members).await;
        futures_util::future::join_all(replies).await.into_iter().map(Result::unwrap).collect()
    }

    async fn keys(&self) -> usize {
        let all = etcd_client::GetOptions::new().with_prefix();
        self.store.kv_client().get("k", Some(all)).await.unwrap().kvs().len()
    }

    async fn revision(&self) -> i64 {
        self.store.kv_client().get("none", None).await.unwrap().header().unwrap().revision()
    }
}

fn done(outcome: &Outcome) -> bool {
    matches!(outcome, (false, Ok(written)) if written.done)
}

#[tokio::test]
async fn a_batch_is_one_revision_and_who_is_in_the_way_has_the_answer_that_it_would_have_alone() {
    let stage = Stage::start(EtcdOptions::default()).await;
    let lease = stage.leases[0];
    let free = |number: usize| put(&format!("k{number}"), Guard::Free, 10, lease);
    let before = stage.revision().await;
    let told = stage.play((0..64).map(free).collect()).await;
    assert!(told.iter().all(done));
    assert_eq!(stage.revision().await, before + 1);
    assert!(told.iter().all(|(_, written)| written.as_ref().unwrap().revision == before + 1));

    let foreign = Some(PutOptions::new().with_lease(stage.leases[1]));
    stage.store.kv_client().put("k65", "theirs", foreign).await.unwrap();
    stage.store.kv_client().put("gone/k66", "", None).await.unwrap();
    let mine = before + 1;
    let writes = vec![
        free(64),
        free(65),
        free(66),
        put("k0", Guard::At(mine), 20, lease),
        put("k1", Guard::At(mine - 1), 20, lease),
        put("k2", Guard::Same, 10, lease),
        put("k3", Guard::Same, 20, lease),
        Write::delete("k4", mine),
        Write::delete("k5", mine - 1),
        Write::delete("k99", 0),
    ];
    let expected = [true, false, false, true, false, true, false, true, false, true];
    let alone = stage.play(vec![writes[1].clone()]).await;
    let told = stage.play(writes).await;
    let met: Vec<bool> = told.iter().map(done).collect();
    assert_eq!(met, expected);
    let read = |outcome: &Outcome| outcome.1.as_ref().unwrap().clone();
    assert_eq!(read(&told[1]).found.unwrap().value(), b"theirs");
    assert_eq!(read(&told[1]).found.unwrap().lease(), read(&alone[0]).found.unwrap().lease());
    assert!(read(&told[2]).fenced && read(&told[2]).found.is_none());
    assert_eq!(read(&told[4]).found.unwrap().mod_revision(), mine);
    assert_eq!(read(&told[5]).found.unwrap().mod_revision(), mine);
    assert_eq!(read(&told[8]).found.unwrap().mod_revision(), mine);
    assert_eq!(stage.keys().await, 65, "64, 65 of another, 64 of them, without 4");
    stage.session.close().await.unwrap();
}

#[tokio::test]
async fn a_lease_that_is_gone_fails_those_on_it_and_no_others() {
    let stage = Stage::start(EtcdOptions::default()).await;
    stage.store.lease_client().revoke(stage.leases[1]).await.unwrap();
    let on = |number: usize| put(&format!("k{number}"), Guard::Free, 10, stage.leases[number % 2]);
    let told = stage.play((0..10).map(on).collect()).await;
    for (number, outcome) in told.iter().enumerate() {
        match outcome {
            (false, Err(error)) if number % 2 == 1 => assert_eq!(error.kind(), ErrorKind::LeaseLost),
            outcome => assert!(done(outcome), "{number}: {outcome:?}"),
        }
    }
    assert_eq!(stage.keys().await, 5);
    stage.session.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_fewer_operations_gets_smaller_batches() {
    let stage = Stage::start(EtcdOptions::default().flag("--max-txn-ops=16")).await;
    let free = |number: usize| put(&format!("k{number}"), Guard::Free, 10, stage.leases[0]);
    assert!(stage.play((0..20).map(free).collect()).await.iter().all(done));
    assert_eq!(stage.session.writes.most.load(Ordering::Relaxed), 10);
    assert_eq!(stage.keys().await, 20);
    stage.session.close().await.unwrap();
}

#[tokio::test]
async fn a_record_that_the_server_finds_too_large_hurts_no_other() {
    let stage = Stage::start(EtcdOptions::default().flag("--max-request-bytes=2048")).await;
    let sizes = [10, 10, 4000, 10];
    let free =
        |(number, size): (usize, usize)| put(&format!("k{number}"), Guard::Free, size, stage.leases[0]);
    let told = stage.play(sizes.into_iter().enumerate().map(free).collect()).await;
    let met: Vec<bool> = told.iter().map(done).collect();
    assert_eq!(met, [true, true, false, true]);
    assert_eq!(told[2].1.as_ref().unwrap_err().kind(), ErrorKind::TooLarge);
    stage.session.close().await.unwrap();
}
