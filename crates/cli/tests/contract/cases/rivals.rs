//! Who leads after whom, and that no child outlives its leadership.

use std::time::Duration;

use reception_lab::eventually;
use serde_json::json;
use tokio::time::Instant;

use super::children::CAREFUL;
use crate::{
    case,
    case::Case,
    ground::Ground,
    process::{Signal, all_lines, gone_within, is_alive, lines},
    run::{LIMIT, Run},
};

pub(crate) const CASES: &[Case] = &[
    case!(the_next_leads_after_a_leader_that_resigns, Elections, Sharing),
    case!(the_next_leads_after_a_leader_that_is_killed, Elections, Sharing),
    case!(no_two_children_run_at_once, Elections, Sharing),
    case!(a_leadership_that_is_taken_ends_the_child_first, Elections, Sharing, Revoking),
    case!(a_leadership_that_is_taken_is_3_with_once, Elections, Sharing, Revoking),
    case!(a_leader_that_slept_past_its_deadline_wakes_without_a_child, Elections, Sharing, Expiry),
];

fn value(token: &serde_json::Value) -> u64 {
    token["value"].as_u64().expect("a number")
}

async fn the_next_leads_after_a_leader_that_resigns(ground: &Ground) {
    let (first, before) = ground.elected_with("c1", "", CAREFUL).await;
    let mut second = ground.elect("c2", "").start();
    second.event("candidate").await;
    assert_eq!(first.stop().await.code, 0);
    let after = second.event("elected").await["token"].clone();
    assert!(value(&after) > value(&before), "tokens rise: {after} after {before}");
    assert_eq!(ground.leader().await.json()[0]["token"], after);
}

async fn the_next_leads_after_a_leader_that_is_killed(ground: &Ground) {
    let script = r#"echo $$ >>"$DESK/pid"; echo "{\"child\":\"up\"}"; exec sleep 60"#;
    let (mut first, before) = ground.elected_with("c1", "", script).await;
    let child = lines(&ground.file("pid"), 1).await[0].parse().expect("a number");
    let mut second = ground.elect("c2", "").start();
    second.event("candidate").await;
    first.kill().await;
    let after = second.event("elected").await["token"].clone();
    assert!(value(&after) > value(&before), "tokens rise: {after} after {before}");
    assert!(!is_alive(child), "the child of the first ended before the second led");
}

async fn no_two_children_run_at_once(ground: &Ground) {
    // Each takes the folder, which only one can make, and gives it back at its end.
    let script = r#"mkdir "$DESK/lead" || echo two >>"$DESK/two"; trap 'rmdir "$DESK/lead"; exit 0' TERM
        echo "{\"child\":\"up\"}"; while :; do sleep 0.02; done"#;
    let mut runs: Vec<_> = ["c1", "c2", "c3"].map(|id| ground.elect(id, "").child(script).start()).into();
    while !runs.is_empty() {
        let leads = |run: &mut Run| run.arrived().iter().any(|line| line.contains("up"));
        let next = || std::future::ready(runs.iter_mut().position(leads).ok_or("nobody"));
        let at = eventually(LIMIT, next).await.expect("one that leads");
        let ended = runs.remove(at).stop().await;
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    assert_eq!(all_lines(&ground.file("two")), [] as [String; 0]);
}

async fn a_leadership_that_is_taken_ends_the_child_first(ground: &Ground) {
    let (mut run, before) = ground.elected_with("c1", "", CAREFUL).await;
    ground.store.revoke("nightly").await.expect("a leadership to take away");
    // It is too late to ask: the child may have said its word, or not.
    let lost = run.until_that(|line| line["child"] != "term").await;
    assert_eq!(lost, json!({"event": "lost", "reason": "revoked", "error": lost["error"]}));
    assert_eq!(run.next().await, json!({"event": "candidate", "id": "c1"}));
    let after = run.event("elected").await["token"].clone();
    assert_ne!(after, before);
    assert_eq!(run.next().await, json!({"child": "up"}));
}

async fn a_leadership_that_is_taken_is_3_with_once(ground: &Ground) {
    for child in [None, Some(CAREFUL)] {
        let call = ground.elect("c1", "--once");
        let mut run = child.into_iter().fold(call, crate::call::Call::child).start();
        run.until("elected").await;
        if child.is_some() {
            assert_eq!(run.next().await, json!({"child": "up"}));
        }
        ground.store.revoke("nightly").await.expect("a leadership to take away");
        let lost = run.until_that(|line| line["child"] != "term").await;
        assert_eq!((&lost["event"], &lost["reason"]), (&json!("lost"), &json!("revoked")), "{lost}");
        run.end().await.failed(3, &[]);
    }
}

async fn a_leader_that_slept_past_its_deadline_wakes_without_a_child(ground: &Ground) {
    let script =
        r#"trap '' TERM; echo $$ >>"$DESK/pid"; echo "{\"child\":\"up\"}"; while :; do sleep 0.02; done"#;
    let (mut first, _) = ground.elected_with("c1", "", script).await;
    let child = lines(&ground.file("pid"), 1).await[0].parse().expect("a number");
    let mut second = ground.elect("c2", "").start();
    second.event("candidate").await;
    first.signal(Signal::STOP);
    second.event("elected").await;
    // A stopped process can stop nobody: that is what the token is for.
    assert!(is_alive(child));
    first.signal(Signal::CONT);
    let woken = Instant::now();
    gone_within(child, Duration::from_secs(2)).await;
    let late = woken.elapsed();
    let lost = first.event("lost").await;
    assert!(lost["reason"] != "closed", "{lost}");
    assert_eq!(first.next().await, json!({"event": "candidate", "id": "c1"}));
    assert!(late < Duration::from_secs(1), "it had {late:?} after the deadline");
    first.stop().await.quietly(0);
}
