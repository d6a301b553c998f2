//! The store goes away and comes back.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{case, case::Case, ground::Ground, process::Signal};

pub(crate) const CASES: &[Case] = &[
    case!(with_the_store_away_what_needs_it_fails_in_time_with_its_place, Outage, Writing),
    case!(with_the_store_away_what_waits_for_it_waits, Outage, Writing, Elections),
    case!(one_stale_an_outage_and_then_a_reset, Outage, Writing, Sharing),
    case!(one_stale_an_outage_and_then_the_present_leader, Outage, Elections, Sharing),
    case!(a_registration_is_doubtful_once_and_recovers, Outage, Writing, Sharing),
    case!(a_stop_that_is_not_confirmed_is_told, Outage, Writing),
    case!(a_server_that_hangs_is_told_in_time_once, Outage, Writing, Sharing, Expiry),
    case!(a_leader_of_a_server_that_hangs_is_lost_in_time, Outage, Elections, Sharing, Expiry),
];

/// `timeout` in the URL is 3 s; a slow machine has some more.
const IN_TIME: Duration = Duration::from_secs(12);

/// How soon a watch and a registration say that the server answers nothing: 10 s, and what a slow machine adds.
const TOLD: Duration = Duration::from_secs(12);

async fn with_the_store_away_what_needs_it_fails_in_time_with_its_place(ground: &Ground) {
    ground.store.kill();
    let place = ground.store.endpoint();
    let began = Instant::now();
    ground.call("list").end().await.failed(1, &[&place]);
    ground.call("list api").end().await.failed(1, &[&place]);
    ground.leader().await.failed(1, &[&place]);
    assert!(began.elapsed() < 3 * IN_TIME, "{:?}", began.elapsed());
    let began = Instant::now();
    ground.register("a1", "").child("echo started").end().await.failed(1, &[&place]);
    assert!(began.elapsed() < IN_TIME, "{:?}", began.elapsed());
    let doctor = ground.call("doctor").end().await;
    let found = doctor.json();
    assert_eq!((doctor.code, found.len()), (1, 6), "{doctor:?}");
    assert!(found[0]["check"] == "reach" && found[0]["ok"] == false, "{doctor:?}");
    assert!(found[0]["detail"].as_str().expect("a text").contains(&place), "{doctor:?}");
    assert!(found[0]["advice"].is_string(), "{doctor:?}");
}

async fn with_the_store_away_what_waits_for_it_waits(ground: &Ground) {
    ground.store.kill();
    let mut watch = ground.call("watch api").start();
    let mut follow = ground.call("leader nightly --follow").start();
    let mut elect = ground.elect("c1", "").start();
    is_stale(&watch.next().await);
    is_stale(&follow.next().await);
    assert_eq!(elect.next().await, json!({"event": "candidate", "id": "c1"}));
    // One that still waits ends in order, too.
    ground.elect("c2", "").start().stop_after("candidate").await.quietly(0);
    ground.store.restart().await.expect("the server again");
    watch.event("reset").await;
    elect.event("elected").await;
    let leader = follow.until("leader").await;
    assert_eq!(leader["service"]["id"], "c1");
    for run in [watch, follow] {
        run.stop().await.quietly(0);
    }
}

fn is_stale(value: &Value) {
    assert!(value["error"].is_string(), "{value}");
    assert_eq!(*value, json!({"event": "stale", "error": value["error"]}));
}

async fn one_stale_an_outage_and_then_a_reset(ground: &Ground) {
    let mut watch = ground.call("watch api").start();
    watch.event("reset").await;
    for round in 0..2 {
        ground.store.kill();
        is_stale(&watch.next().await);
        // Long enough for several vain tries.
        let waited = ground.call("list").end().await;
        assert_eq!(waited.code, 1, "round {round}: {waited:?}");
        assert_eq!(watch.arrived(), [] as [String; 0], "one stale in round {round}");
        ground.store.restart().await.expect("the server again");
        let reset = watch.next().await;
        assert_eq!((&reset["event"], &reset["services"]), (&json!("reset"), &json!([])), "{reset}");
    }
    let _a1 = ground.registered("a1", "").await;
    watch.event("patch").await;
}

async fn one_stale_an_outage_and_then_the_present_leader(ground: &Ground) {
    let (_leader, token) = ground.elected("c1", "").await;
    let mut follow = ground.call("leader nightly --follow").start();
    assert_eq!(follow.event("leader").await["token"], token);
    ground.store.kill();
    is_stale(&follow.next().await);
    ground.store.restart().await.expect("the server again");
    let present = follow.next().await;
    assert!(present["event"] == "leader" || present["event"] == "vacant", "{present}");
    follow.stop().await;
}

async fn a_registration_is_doubtful_once_and_recovers(ground: &Ground) {
    let mut run = ground.registered("a1", "").await;
    for _ in 0..2 {
        ground.store.kill();
        let doubtful = run.next().await;
        assert!(doubtful["error"].is_string(), "{doubtful}");
        assert_eq!(doubtful, json!({"event": "doubtful", "id": "a1", "error": doubtful["error"]}));
        ground.call("list").end().await.failed(1, &[]);
        assert_eq!(run.arrived(), [] as [String; 0], "doubt is told once");
        ground.store.restart().await.expect("the server again");
        assert_eq!(run.next().await, json!({"event": "recovered", "id": "a1"}));
        assert_eq!(ground.ids().await, ["a1"]);
    }
    let ended = run.stop().await;
    assert_eq!((ended.code, ended.json().len()), (0, 1), "{ended:?}");
}

async fn a_stop_that_is_not_confirmed_is_told(ground: &Ground) {
    for (child, code) in [(None, 1), (Some("trap 'exit 0' TERM"), 1), (Some("trap 'exit 7' TERM"), 7)] {
        let call = ground.register(&format!("a{code}"), "");
        let call = child.iter().fold(call, |call, trap| {
            call.child(&format!("{trap}; echo '{{\"child\":\"up\"}}'; while :; do sleep 0.02; done"))
        });
        let mut run = call.start();
        run.event("registered").await;
        if child.is_some() {
            assert_eq!(run.next().await, json!({"child": "up"}));
        }
        ground.store.kill();
        run.signal(Signal::TERM);
        let ended = run.end().await;
        assert_eq!(ended.code, code, "{child:?}: {ended:?}");
        ended.error();
        assert!(!ended.out.iter().any(|line| line.contains("deregistered")), "{ended:?}");
        ground.store.restart().await.expect("the server again");
        ground.shows(&[]).await;
    }
}

/// Connections stand and say nothing: only time can tell.
async fn a_server_that_hangs_is_told_in_time_once(ground: &Ground) {
    let place = ground.store.endpoint();
    let mut run = ground.registered("a1", "").await;
    let mut watch = ground.call("watch api").start();
    watch.event("reset").await;
    for round in 0..2 {
        ground.store.freeze();
        let began = Instant::now();
        let doubtful = run.event("doubtful").await;
        assert!(doubtful["error"].is_string(), "{doubtful}");
        assert!(began.elapsed() < TOLD, "in doubt after {:?} in round {round}", began.elapsed());
        is_stale(&watch.next().await);
        assert!(began.elapsed() < TOLD, "stale after {:?} in round {round}", began.elapsed());
        let began = Instant::now();
        ground.call("list api").end().await.failed(1, &[&place]);
        assert!(began.elapsed() < IN_TIME, "{:?}", began.elapsed());
        assert_eq!(run.arrived(), [] as [String; 0], "doubt is told once");
        assert_eq!(watch.arrived(), [] as [String; 0], "one stale in round {round}");
        ground.store.thaw();
        run.until("recovered").await;
        ground.shows(&["a1"]).await;
        // By now its lease may have ended and been made anew, which a view shows on its way.
        watch.until_that(shows_a1).await;
        drop(watch.arrived());
        drop(run.arrived());
    }
    let ended = run.stop().await;
    assert_eq!(ended.code, 0, "{ended:?}");
}

fn shows_a1(line: &Value) -> bool {
    let holds = |field: &str| {
        let listed = line[field].as_array();
        listed.is_some_and(|services| services.iter().any(|service| service["id"] == "a1"))
    };
    holds("services") || holds("upserted")
}

/// What `ttl` in the URL is, or what a store grants for it, at most; and what a slow machine adds.
const LEASE: Duration = Duration::from_secs(3 + 2);

async fn a_leader_of_a_server_that_hangs_is_lost_in_time(ground: &Ground) {
    let (mut leader, before) = ground.elected("c1", "").await;
    let mut follow = ground.call("leader nightly --follow").start();
    assert_eq!(follow.event("leader").await["token"], before);
    ground.store.freeze();
    let began = Instant::now();
    let lost = leader.event("lost").await;
    assert!(began.elapsed() < LEASE, "lost after {:?}: {lost}", began.elapsed());
    assert_eq!(leader.next().await, json!({"event": "candidate", "id": "c1"}));
    is_stale(&follow.next().await);
    assert!(began.elapsed() < TOLD, "stale after {:?}", began.elapsed());
    ground.store.thaw();
    let after = leader.event("elected").await["token"].clone();
    assert!(after["value"].as_u64() > before["value"].as_u64(), "tokens rise: {after} after {before}");
    follow.until_that(|line| line["event"] == "leader" && line["token"] == after).await;
    for run in [leader, follow] {
        assert_eq!(run.stop().await.code, 0);
    }
}
