//! `register`: its lines, and what ends it.

use serde_json::json;

use super::children::CAREFUL;
use crate::{
    case,
    case::Case,
    ground::{Ground, is_deregistered},
    process::Signal,
};

pub(crate) const CASES: &[Case] = &[
    case!(each_signal_deregisters_and_ends_with_0, Writing),
    case!(without_an_id_each_run_has_its_own, Writing, Sharing),
    case!(a_killed_process_is_removed_within_the_crash_bound, Writing, Sharing),
    case!(a_dying_owner_is_waited_for, Writing, Sharing),
    case!(a_living_owner_is_a_conflict, Writing, Sharing),
    case!(a_living_owner_is_a_conflict_after_waiting_too, Writing, Sharing),
    case!(a_displaced_owner_stops_its_child_and_ends_with_3, Writing, Sharing),
    case!(what_a_stop_withdraws_is_gone_when_it_is_told, Writing, Sharing),
];

async fn each_signal_deregisters_and_ends_with_0(ground: &Ground) {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut run = ground.registered("a1", "").await;
        run.signal(signal);
        is_deregistered(&run.next().await, "a1", "signal");
        run.end().await.quietly(0);
    }
}

async fn without_an_id_each_run_has_its_own(ground: &Ground) {
    let register = || ground.call("register api --address 127.0.0.1 --port 8080").start();
    let (mut one, mut other) = (register(), register());
    let (one, other) = (one.event("registered").await, other.event("registered").await);
    assert_ne!(one["service"]["id"], other["service"]["id"]);
}

async fn a_killed_process_is_removed_within_the_crash_bound(ground: &Ground) {
    let mut watch = ground.call("watch api").start();
    watch.event("reset").await;
    let mut run = ground.registered("a1", "").await;
    watch.event("patch").await;
    run.kill().await;
    assert_eq!(watch.event("patch").await["removed"], json!(["a1"]));
    ground.shows(&[]).await;
}

async fn a_dying_owner_is_waited_for(ground: &Ground) {
    let mut first = ground.registered("a1", "").await;
    let mut second = ground.register("a1", "").word("--attr=of=second").start();
    first.kill().await;
    let registered = second.event("registered").await;
    assert_eq!(registered["service"]["attributes"], json!({"of": "second"}));
    is_deregistered(&second.stop().await.json()[0], "a1", "signal");
}

async fn a_living_owner_is_a_conflict(ground: &Ground) {
    let mut first = ground.registered("a1", "").await;
    let second = ground.register("a1", "--on-conflict fail").child("echo started").end().await;
    second.failed(1, &["conflict"]);
    assert_eq!(ground.ids().await, ["a1"]);
    assert_eq!(first.arrived(), [] as [String; 0]);
    is_deregistered(&first.stop().await.json()[0], "a1", "signal");
}

async fn a_living_owner_is_a_conflict_after_waiting_too(ground: &Ground) {
    let _first = ground.registered("a1", "").await;
    // The limit of every wait here is the bound.
    ground.register("a1", "").end().await.failed(1, &["conflict"]);
}

async fn a_displaced_owner_stops_its_child_and_ends_with_3(ground: &Ground) {
    let child = r#"trap 'echo "{\"child\":\"term\"}"; exit 7' TERM; echo "{\"child\":\"up\"}"; while :; do sleep 0.02; done"#;
    let mut first = ground.register("a1", "--drain 60s").child(child).start();
    first.event("registered").await;
    assert_eq!(first.next().await, json!({"child": "up"}));
    let mut second = ground.registered("a1", "--on-conflict replace").await;
    let lost = first.next().await;
    assert_eq!(lost, json!({"event": "lost", "id": "a1", "reason": "conflict", "error": lost["error"]}));
    assert!(lost["error"].as_str().expect("a text").contains("conflict"), "{lost}");
    assert_eq!(first.next().await, json!({"child": "term"}));
    first.end().await.failed(3, &["conflict"]);
    assert_eq!(ground.ids().await, ["a1"]);
    assert_eq!(second.arrived(), [] as [String; 0]);
}

async fn what_a_stop_withdraws_is_gone_when_it_is_told(ground: &Ground) {
    let mut run = ground.register("a1", "--drain 60s").child(CAREFUL).start();
    run.event("registered").await;
    run.next().await;
    run.signal(Signal::TERM);
    is_deregistered(&run.next().await, "a1", "signal");
    assert_eq!(ground.ids().await, [] as [String; 0]);
    assert!(!run.has_ended(), "it drains");
    run.signal(Signal::INT);
    run.end().await.quietly(137);
}
