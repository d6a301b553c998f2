//! `elect`: its lines, its child and its codes.

use serde_json::{Value, json};

use super::children::{CAREFUL, DEAF};
use crate::{
    case,
    case::Case,
    ground::Ground,
    process::{Signal, all_lines, lines},
};

pub(crate) const CASES: &[Case] = &[
    case!(each_signal_resigns_and_ends_with_0, Elections),
    case!(the_child_finds_its_token_after_elected_was_told, Elections),
    case!(resigned_comes_after_the_child_has_ended, Elections),
    case!(a_leader_that_is_told_twice_kills, Elections),
    case!(a_leader_that_ignores_sigterm_is_killed, Elections),
    case!(once_ends_with_the_code_of_the_child, Elections),
    case!(a_child_that_did_its_work_ends_the_command, Elections),
    case!(after_a_child_that_failed_it_stands_again, Elections),
    case!(a_child_that_cannot_be_run_resigns_for_good, Elections),
    case!(a_waiting_candidate_ends_without_a_word, Elections, Sharing),
    case!(an_id_that_stands_already_stands_beside_it, Elections, Sharing),
];

fn is_resigned(value: &Value) {
    assert_eq!(*value, json!({"event": "resigned"}));
}

/// What the child finds in `RECEPTION_TOKEN`, and `leader` prints as text.
fn text_of(token: &Value) -> String {
    let domain = token["domain"].as_str().expect("a domain");
    assert!(
        domain.len() == 32 && domain.bytes().all(|letter| b"0123456789abcdef".contains(&letter)),
        "{token}"
    );
    assert_eq!(*token, json!({"domain": domain, "value": token["value"].as_u64().expect("a number")}));
    format!("{domain}:{}", token["value"])
}

async fn each_signal_resigns_and_ends_with_0(ground: &Ground) {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut run = ground.elect("c1", "").start();
        assert_eq!(run.next().await, json!({"event": "candidate", "id": "c1"}));
        let elected = run.next().await;
        text_of(&elected["token"]);
        assert_eq!(elected, json!({"event": "elected", "token": elected["token"]}));
        run.signal(signal);
        is_resigned(&run.next().await);
        run.end().await.quietly(0);
    }
}

async fn the_child_finds_its_token_after_elected_was_told(ground: &Ground) {
    let script = r#"echo "{\"child\":\"$RECEPTION_TOKEN\"}""#;
    let ended = ground.elect("c1", "--once").child(script).end().await;
    let told = ended.json();
    assert_eq!((ended.code, told.len()), (0, 4), "{ended:?}");
    assert_eq!(told[2], json!({"child": text_of(&told[1]["token"])}));
    is_resigned(&told[3]);
}

async fn resigned_comes_after_the_child_has_ended(ground: &Ground) {
    let (mut run, _) = ground.elected_with("c1", "", CAREFUL).await;
    run.signal(Signal::TERM);
    assert_eq!(run.next().await, json!({"child": "term"}));
    is_resigned(&run.next().await);
    run.end().await.quietly(0);
}

async fn a_leader_that_is_told_twice_kills(ground: &Ground) {
    let script =
        r#"trap 'echo "{\"child\":\"term\"}"' TERM; echo "{\"child\":\"up\"}"; while :; do sleep 0.02; done"#;
    let (mut run, _) = ground.elected_with("c1", "--kill-after 60s", script).await;
    run.signal(Signal::INT);
    assert_eq!(run.next().await, json!({"child": "term"}));
    run.signal(Signal::INT);
    is_resigned(&run.next().await);
    run.end().await.quietly(137);
}

async fn a_leader_that_ignores_sigterm_is_killed(ground: &Ground) {
    let (mut run, _) = ground.elected_with("c1", "--kill-after 300ms", DEAF).await;
    run.signal(Signal::HUP);
    is_resigned(&run.next().await);
    run.end().await.quietly(137);
}

/// The events of these lines.
fn events(told: &[Value]) -> Vec<&str> {
    told.iter().map(|line| line["event"].as_str().expect("an event")).collect()
}

async fn once_ends_with_the_code_of_the_child(ground: &Ground) {
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)] {
        let ended = ground.elect("c1", "--once").child(script).end().await;
        assert_eq!(ended.code, code, "{script}: {ended:?}");
        assert_eq!(events(&ended.json()), ["candidate", "elected", "resigned"], "{script}");
        assert!(!ended.err.contains("error: "), "{ended:?}");
    }
}

async fn a_child_that_did_its_work_ends_the_command(ground: &Ground) {
    let ended = ground.elect("c1", "").child("exit 0").end().await;
    assert_eq!(events(&ended.json()), ["candidate", "elected", "resigned"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}

async fn after_a_child_that_failed_it_stands_again(ground: &Ground) {
    let script = r#"echo run >>"$DESK/runs"; test "$(wc -l <"$DESK/runs")" -ge 3 || exit 9"#;
    let ended = ground.elect("c1", "").child(script).end().await;
    let told = ended.json();
    let term = ["candidate", "elected", "resigned"];
    assert_eq!((ended.code, events(&told)), (0, [term, term, term].concat()), "{ended:?}");
    assert_eq!(all_lines(&ground.file("runs")).len(), 3);
    let tokens: Vec<_> = told.iter().filter_map(|line| line["token"]["value"].as_u64()).collect();
    assert!(tokens.is_sorted_by(|before, after| before < after), "tokens rise: {tokens:?}");
}

async fn a_child_that_cannot_be_run_resigns_for_good(ground: &Ground) {
    let desk = ground.desk().to_str().expect("a path").to_owned();
    for (program, code) in [("no-such-program-anywhere", 127), (desk.as_str(), 126)] {
        for once in ["", "--once"] {
            let ended = ground.elect("c1", once).program(&[program]).end().await;
            assert_eq!(ended.code, code, "{ended:?}");
            assert!(ended.error().contains(program), "{ended:?}");
            assert_eq!(events(&ended.json()), ["candidate", "elected", "resigned"]);
        }
    }
}

async fn a_waiting_candidate_ends_without_a_word(ground: &Ground) {
    let (first, token) = ground.elected("c1", "").await;
    let child = r#"echo up >>"$DESK/up""#;
    ground.elect("c2", "").child(child).start().stop_after("candidate").await.quietly(0);
    assert_eq!(all_lines(&ground.file("up")), [] as [String; 0]);
    assert_eq!(ground.leader().await.json()[0]["token"], token);
    let ended = first.stop().await;
    is_resigned(&ended.json()[0]);
}

async fn an_id_that_stands_already_stands_beside_it(ground: &Ground) {
    let (first, _) = ground.elected("c1", "").await;
    let mut second = ground.elect("c1", "").child(r#"echo up >>"$DESK/up"; exec sleep 60"#).start();
    second.event("candidate").await;
    // An id is no lock: who stands is a process.
    first.stop().await;
    second.event("elected").await;
    lines(&ground.file("up"), 1).await;
}
