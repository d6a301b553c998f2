//! `register` with a check.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use reception_lab::eventually;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::children::CAREFUL;
use crate::{
    call::Call,
    case,
    case::Case,
    ground::{Ground, is_deregistered},
    process::{Signal, all_lines, gone, lines},
    run::{LIMIT, Run, spawn},
};

pub(crate) const CASES: &[Case] = &[
    case!(a_check_lets_the_instance_in_and_out_beside_its_child, Writing),
    case!(a_check_must_be_good_as_often_as_it_is_told, Writing),
    case!(a_stop_before_the_first_registration_says_nothing, Writing),
    case!(a_check_that_hangs_is_killed_with_its_group, Writing),
    case!(why_a_check_is_bad_is_told_once_for_each_reason, Writing),
    case!(a_web_check_wants_an_answer_of_success, Writing),
    case!(a_connection_check_wants_to_be_let_in, Writing),
];

/// An instance whose check is good while a file is there, and which notes each try.
fn checked(ground: &Ground, more: &str) -> Call {
    let check = r#"echo try >>"$DESK/tries"; test -e "$DESK/good""#;
    ground.register("a1", &format!("--interval 50ms {more}")).word("--check-cmd").word(check)
}

fn make_good(ground: &Ground, good: bool) {
    let file = ground.file("good");
    let done = if good { std::fs::write(file, "") } else { std::fs::remove_file(file) };
    done.expect("a file of ours");
}

async fn a_check_lets_the_instance_in_and_out_beside_its_child(ground: &Ground) {
    let mut run = checked(ground, "").child(CAREFUL).start();
    // It starts at once, since the check mostly asks it.
    assert_eq!(run.next().await, json!({"child": "up"}));
    lines(&ground.file("tries"), 3).await;
    assert_eq!(run.arrived(), [] as [String; 0]);
    for _ in 0..2 {
        make_good(ground, true);
        assert_eq!(run.event("registered").await["service"]["id"], "a1");
        make_good(ground, false);
        is_deregistered(&run.next().await, "a1", "check");
    }
    make_good(ground, true);
    run.event("registered").await;
    run.signal(Signal::TERM);
    is_deregistered(&run.next().await, "a1", "signal");
    assert_eq!(run.next().await, json!({"child": "term"}));
    run.end().await.quietly(0);
}

async fn a_check_must_be_good_as_often_as_it_is_told(ground: &Ground) {
    make_good(ground, true);
    let mut run = checked(ground, "--rise 4 --fall 3").start();
    run.event("registered").await;
    assert!(all_lines(&ground.file("tries")).len() >= 4);
    make_good(ground, false);
    let before = all_lines(&ground.file("tries")).len();
    is_deregistered(&run.next().await, "a1", "check");
    // One more may have been under way when the file went.
    assert!(all_lines(&ground.file("tries")).len() >= before + 2);
    let ended = run.stop().await;
    ended.quietly(0);
}

async fn a_stop_before_the_first_registration_says_nothing(ground: &Ground) {
    let mut run = checked(ground, "").child(CAREFUL).start();
    run.next().await;
    lines(&ground.file("tries"), 2).await;
    checked(ground, "").child("exit 7").end().await.quietly(7);
    run.signal(Signal::TERM);
    assert_eq!(run.next().await, json!({"child": "term"}));
    run.end().await.quietly(0);
}

async fn a_check_that_hangs_is_killed_with_its_group(ground: &Ground) {
    let check = r#"sleep 60 & echo $! >>"$DESK/pids"; echo $$ >>"$DESK/pids"; wait"#;
    let run = ground.register("a1", "--interval 50ms").word("--check-cmd").word(check).start();
    let pids = lines(&ground.file("pids"), 4).await;
    // The second try began, so the first is over.
    for pid in &pids[..2] {
        gone(pid.parse().expect("a number")).await;
    }
    run.stop().await.quietly(0);
    for pid in all_lines(&ground.file("pids")) {
        gone(pid.parse().expect("a number")).await;
    }
}

async fn why_a_check_is_bad_is_told_once_for_each_reason(ground: &Ground) {
    let code = ground.file("code");
    let end_with = |number: &str| std::fs::write(&code, number).expect("a file of ours");
    end_with("3");
    let check = r#"echo try >>"$DESK/tries"; exit $(cat "$DESK/code")"#;
    let call = ground.register("a1", "--interval 50ms --fall 1 --rise 1").word("--check-cmd").word(check);
    let mut run = call.start();
    let told = async |run: &Run, number: &str, times: usize| {
        let words = format!("ended with code {number}");
        let met = eventually(LIMIT, || {
            let err = run.err();
            let met = err.matches(&words).count() == times;
            async move { if met { Ok(()) } else { Err(err) } }
        });
        met.await.expect("the reason as often as it changed");
    };
    lines(&ground.file("tries"), 5).await;
    told(&run, "3", 1).await;
    end_with("4");
    told(&run, "4", 1).await;
    end_with("0");
    run.event("registered").await;
    end_with("3");
    is_deregistered(&run.next().await, "a1", "check");
    told(&run, "3", 2).await;
    run.stop().await.quietly(0);
}

/// A web server on loopback that answers everybody with this status.
async fn web(status: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let status = status.load(Ordering::Relaxed);
            let answer = format!(
                "HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:{port}/ok\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let mut asked = [0; 1_024];
            if stream.read(&mut asked).await.is_ok() {
                drop(stream.write_all(answer.as_bytes()).await);
            }
        }
    }));
    port
}

async fn a_web_check_wants_an_answer_of_success(ground: &Ground) {
    let status = Arc::new(AtomicU16::new(503));
    let port = web(Arc::clone(&status)).await;
    let check = format!("--interval 50ms --check-http http://127.0.0.1:{port}/health");
    let mut run = ground.register("a1", &check).start();
    for (good, bad) in [(200, 302), (204, 404), (299, 500)] {
        assert_eq!(run.arrived(), [] as [String; 0]);
        status.store(good, Ordering::Relaxed);
        run.event("registered").await;
        status.store(bad, Ordering::Relaxed);
        is_deregistered(&run.next().await, "a1", "check");
    }
    run.stop().await.quietly(0);
}

async fn a_connection_check_wants_to_be_let_in(ground: &Ground) {
    let place = reception_lab::free_port().expect("a port");
    let address = place.address();
    let mut run = ground.register("a1", &format!("--interval 50ms --check-tcp {address}")).start();
    for _ in 0..2 {
        let bound = eventually(LIMIT, || TcpListener::bind(address)).await.expect("a port to listen on");
        run.event("registered").await;
        drop(bound);
        is_deregistered(&run.next().await, "a1", "check");
    }
    run.stop().await.quietly(0);
}
