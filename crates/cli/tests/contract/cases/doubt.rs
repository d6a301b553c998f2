//! `elect` while the store does not answer: the child ends before a rival may lead.

use serde_json::json;

use super::children::{CAREFUL, DEAF};
use crate::{case, case::Case, ground::Ground, process::Signal};

pub(crate) const CASES: &[Case] = &[
    case!(in_doubt_the_child_is_told_before_the_leadership_is_lost, Elections, Expiry, Outage),
    case!(in_doubt_a_child_that_does_not_hear_is_killed, Elections, Expiry, Outage),
    case!(doubt_is_not_taken_back, Elections, Expiry, Outage),
    case!(doubt_is_3_with_once, Elections, Expiry, Outage),
    case!(without_a_child_there_is_no_doubt, Elections, Expiry, Outage),
];

/// A loss in doubt.
fn is_doubt(lost: &serde_json::Value) {
    assert!(lost["error"].is_string(), "{lost}");
    assert_eq!(*lost, json!({"event": "lost", "reason": "doubt", "error": lost["error"]}));
}

async fn in_doubt_the_child_is_told_before_the_leadership_is_lost(ground: &Ground) {
    let (mut run, before) = ground.elected_with("c1", "", CAREFUL).await;
    ground.store.freeze();
    assert_eq!(run.next().await, json!({"child": "term"}));
    is_doubt(&run.next().await);
    ground.store.thaw();
    assert_eq!(run.next().await, json!({"event": "candidate", "id": "c1"}));
    let after = run.event("elected").await["token"].clone();
    assert!(after["value"].as_u64() > before["value"].as_u64(), "tokens rise: {after} after {before}");
    assert_eq!(run.next().await, json!({"child": "up"}));
    let ended = run.stop().await;
    let told = ended.json();
    assert_eq!((ended.code, told), (0, vec![json!({"child": "term"}), json!({"event": "resigned"})]));
}

async fn in_doubt_a_child_that_does_not_hear_is_killed(ground: &Ground) {
    let (mut run, _) = ground.elected_with("c1", "--kill-after 60s", DEAF).await;
    ground.store.freeze();
    is_doubt(&run.next().await);
    // What is left of the leadership cannot be given back: it ends all the same, and tells so unless it stands again by then.
    run.signal(Signal::TERM);
    let ended = run.end().await;
    let again = json!({"event": "candidate", "id": "c1"});
    assert!(ended.json().iter().all(|line| *line == again), "{ended:?}");
    assert_eq!(ended.code, i32::from(ended.err.contains("error: ")), "{ended:?}");
    ground.store.thaw();
}

async fn doubt_is_not_taken_back(ground: &Ground) {
    let script =
        r#"trap 'echo "{\"child\":\"term\"}"' TERM; echo "{\"child\":\"up\"}"; while :; do sleep 0.02; done"#;
    let (mut run, before) = ground.elected_with("c1", "--kill-after 60s", script).await;
    ground.store.freeze();
    assert_eq!(run.next().await, json!({"child": "term"}));
    ground.store.thaw();
    is_doubt(&run.next().await);
    run.event("candidate").await;
    let after = run.event("elected").await["token"].clone();
    assert_ne!(after, before);
}

async fn doubt_is_3_with_once(ground: &Ground) {
    let (mut run, _) = ground.elected_with("c1", "--once", CAREFUL).await;
    ground.store.freeze();
    assert_eq!(run.next().await, json!({"child": "term"}));
    is_doubt(&run.next().await);
    ground.store.thaw();
    run.end().await.failed(3, &[]);
}

async fn without_a_child_there_is_no_doubt(ground: &Ground) {
    let (mut run, _) = ground.elected("c1", "").await;
    ground.store.freeze();
    let lost = run.next().await;
    assert_eq!(lost, json!({"event": "lost", "reason": "expired", "error": lost["error"]}));
    assert_eq!(run.next().await, json!({"event": "candidate", "id": "c1"}));
    ground.store.thaw();
    run.event("elected").await;
}
