//! The child of `register` and of `elect`: its start, its end, and that it never outlives the command.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    call::Call,
    case,
    case::Case,
    ground::{Ground, is_deregistered},
    process::{Signal, gone, is_alive, lines},
    run::Run,
};

pub(crate) const CASES: &[Case] = &[
    case!(a_child_starts_after_the_registration_was_told, Writing),
    case!(a_child_drains_between_deregistered_and_sigterm, Writing),
    case!(a_child_that_ignores_sigterm_is_killed, Writing),
    case!(a_second_signal_skips_the_drain_and_kills, Writing),
    case!(a_second_signal_kills_one_that_ignores_the_first, Writing),
    case!(the_code_is_that_of_the_child, Writing),
    case!(a_child_that_our_sigterm_ended_is_0, Writing),
    case!(a_child_that_cannot_be_run_is_told, Writing),
    case!(a_child_leads_its_own_group_which_gets_our_signals, Writing),
    case!(a_killed_register_takes_its_child_along, Writing),
    case!(a_killed_elect_takes_its_child_along, Elections),
    case!(where_no_kernel_takes_a_child_along_a_watchdog_does, Writing),
    case!(events_go_to_a_file_of_ours_alone, Writing, Elections),
];

/// Says what happens to it, and ends well at SIGTERM.
pub(crate) const CAREFUL: &str = r#"trap 'echo "{\"child\":\"term\"}"; exit 0' TERM; echo "{\"child\":\"up\"}"; while :; do sleep 0.02; done"#;
/// Says that it is up, and does not hear SIGTERM.
pub(crate) const DEAF: &str = r#"trap '' TERM; echo "{\"child\":\"up\"}"; while :; do sleep 0.02; done"#;
/// Notes its number in a file, and that of a process of its own that ends with its group.
const KNOWN: &str = r#"echo $$ >>"$DESK/pid"; echo "{\"child\":\"up\"}"; exec sleep 60"#;

/// One that is registered and whose child is up.
async fn up(call: Call) -> Run {
    let mut run = call.start();
    run.event("registered").await;
    assert_eq!(run.next().await, json!({"child": "up"}));
    run
}

async fn a_child_starts_after_the_registration_was_told(ground: &Ground) {
    // On one output the order of lines is that of the events.
    let run = up(ground.register("a1", "").child(CAREFUL)).await;
    let ended = run.stop().await;
    let lines = ended.json();
    is_deregistered(&lines[0], "a1", "signal");
    assert_eq!((ended.code, &lines[1..]), (0, &[json!({"child": "term"})][..]), "{ended:?}");
}

async fn a_child_drains_between_deregistered_and_sigterm(ground: &Ground) {
    let mut run = up(ground.register("a1", "--drain 2s").child(CAREFUL)).await;
    let signalled = Instant::now();
    run.signal(Signal::INT);
    is_deregistered(&run.next().await, "a1", "signal");
    assert_eq!(run.next().await, json!({"child": "term"}));
    assert!(signalled.elapsed() >= Duration::from_secs(2), "it had its drain: {:?}", signalled.elapsed());
    run.end().await.quietly(0);
}

async fn a_child_that_ignores_sigterm_is_killed(ground: &Ground) {
    let mut run = up(ground.register("a1", "--kill-after 500ms").child(DEAF)).await;
    let signalled = Instant::now();
    run.signal(Signal::TERM);
    is_deregistered(&run.next().await, "a1", "signal");
    run.end().await.quietly(137);
    assert!(signalled.elapsed() >= Duration::from_millis(500), "it had its time: {:?}", signalled.elapsed());
}

async fn a_second_signal_skips_the_drain_and_kills(ground: &Ground) {
    for second in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut run = up(ground.register("a1", "--drain 60s --kill-after 60s").child(CAREFUL)).await;
        run.signal(Signal::TERM);
        is_deregistered(&run.next().await, "a1", "signal");
        run.signal(second);
        run.end().await.quietly(137);
    }
}

async fn a_second_signal_kills_one_that_ignores_the_first(ground: &Ground) {
    let script =
        r#"trap 'echo "{\"child\":\"term\"}"' TERM; echo "{\"child\":\"up\"}"; while :; do sleep 0.02; done"#;
    let mut run = up(ground.register("a1", "--kill-after 60s").child(script)).await;
    run.signal(Signal::TERM);
    is_deregistered(&run.next().await, "a1", "signal");
    assert_eq!(run.next().await, json!({"child": "term"}));
    run.signal(Signal::TERM);
    run.end().await.quietly(137);
}

async fn the_code_is_that_of_the_child(ground: &Ground) {
    for (script, code) in
        [("exit 0", 0), ("exit 7", 7), ("kill -USR1 $$; sleep 9", 138), ("kill -KILL $$", 137)]
    {
        // Nobody waits for a drain after the child's own end.
        let ended = ground.register("a1", "--drain 60s").child(script).end().await;
        let lines = ended.json();
        assert_eq!((ended.code, lines.len()), (code, 2), "{script}: {ended:?}");
        assert_eq!(lines[0]["event"], "registered");
        is_deregistered(&lines[1], "a1", "child");
    }
}

async fn a_child_that_our_sigterm_ended_is_0(ground: &Ground) {
    let mut run = ground.register("a1", "").child("echo '{\"child\":\"up\"}'; exec sleep 60").start();
    run.event("registered").await;
    run.next().await;
    run.signal(Signal::INT);
    is_deregistered(&run.next().await, "a1", "signal");
    run.end().await.quietly(0);
    // A code of its own stays one.
    let script = "trap 'exit 9' TERM; echo '{\"child\":\"up\"}'; while :; do sleep 0.02; done";
    assert_eq!(up(ground.register("a1", "").child(script)).await.stop().await.code, 9);
}

async fn a_child_that_cannot_be_run_is_told(ground: &Ground) {
    let desk = ground.desk().to_str().expect("a path").to_owned();
    for (program, code) in
        [("no-such-program-anywhere", 127), ("/no/such/program", 127), (desk.as_str(), 126)]
    {
        let ended = ground.register("a1", "--drain 60s").program(&[program]).end().await;
        assert_eq!(ended.code, code, "{program}: {ended:?}");
        assert!(ended.error().contains(program), "{ended:?}");
        let lines = ended.json();
        assert_eq!(lines.len(), 2, "{ended:?}");
        is_deregistered(&lines[1], "a1", "child");
    }
}

async fn a_child_leads_its_own_group_which_gets_our_signals(ground: &Ground) {
    let script = r#"
        (trap 'echo "{\"child\":\"inner\"}"; exit 0' TERM; while :; do sleep 0.02; done) &
        trap 'wait; exit 0' TERM
        echo "{\"child\":$$,\"group\":$(ps -o pgid= -p $$)}"
        while :; do sleep 0.02; done"#;
    let mut run = ground.register("a1", "").child(script).start();
    run.event("registered").await;
    let child = run.next().await;
    assert_eq!(child["child"], child["group"], "{child}");
    run.signal(Signal::TERM);
    is_deregistered(&run.next().await, "a1", "signal");
    assert_eq!(run.next().await, json!({"child": "inner"}));
    run.end().await.quietly(0);
}

/// Kills the command, and sees its child end with it.
async fn takes_along(ground: &Ground, mut run: Run) {
    while run.next().await != json!({"child": "up"}) {}
    let pid = lines(&ground.file("pid"), 1).await[0].parse().expect("a number");
    assert!(is_alive(pid));
    run.kill().await;
    gone(pid).await;
}

async fn a_killed_register_takes_its_child_along(ground: &Ground) {
    takes_along(ground, ground.register("a1", "").child(KNOWN).start()).await;
}

async fn a_killed_elect_takes_its_child_along(ground: &Ground) {
    takes_along(ground, ground.elect("c1", "").child(KNOWN).start()).await;
}

async fn where_no_kernel_takes_a_child_along_a_watchdog_does(ground: &Ground) {
    // What other systems do; a build for release plays this as the one above.
    let watched = || ground.register("a1", "").env("RECEPTION_TEST_WATCHDOG", "1");
    takes_along(ground, watched().child(KNOWN).start()).await;
    let ended = ground.register("a2", "").env("RECEPTION_TEST_WATCHDOG", "1").child("exit 7").end().await;
    assert_eq!((ended.code, ended.out.len()), (7, 2), "{ended:?}");
}

async fn events_go_to_a_file_of_ours_alone(ground: &Ground) {
    use std::os::unix::fs::PermissionsExt;

    let file = ground.file("events");
    let register = ground.register("a1", "").events(file.clone()).child("echo child; exit 7").end().await;
    assert_eq!((register.code, register.out.as_slice()), (7, &["child".to_owned()][..]));
    let elect = ground.elect("c1", "--once").events(file.clone()).child("echo child; exit 8").end().await;
    assert_eq!((elect.code, elect.out.as_slice()), (8, &["child".to_owned()][..]));
    let told: Vec<Value> =
        lines(&file, 5).await.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let events: Vec<_> = told.iter().map(|line| line["event"].as_str().expect("an event")).collect();
    assert_eq!(events, ["registered", "deregistered", "candidate", "elected", "resigned"]);
    let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
