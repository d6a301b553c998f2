//! When a gate opens and shuts.

use std::sync::{Arc, Mutex};

use reception::{
    ErrorKind,
    health::{self, GateChange, GateOptions},
};
use tokio::time::{Instant, sleep};

use super::*;

#[tokio::test(start_paused = true)]
async fn it_registers_after_good_tries_in_a_row_and_withdraws_after_bad_ones() {
    let (_, client) = memory();
    let begun = Instant::now();
    let switch = Switch::good();
    let options = GateOptions::default().rise(3).fall(2);
    let gate = health::gate(client.clone(), api(), switch.check(), options).unwrap();
    let mut story = Story::of(&gate);
    assert!(matches!(story.any().await, Some(GateChange::Passing)));
    assert_eq!((switch.asked(), begun.elapsed()), (1, Duration::ZERO), "the first try is made at once");
    assert!(shown(&*client).await.is_empty());
    assert_eq!(story.next().await, "registered one");
    assert_eq!((switch.asked(), begun.elapsed().as_secs()), (3, 2));
    assert_eq!(shown(&*client).await, ["one"]);
    switch.turn(false);
    assert_eq!(story.next().await, "withdrawn");
    assert_eq!((switch.asked(), begun.elapsed().as_secs()), (5, 4));
    assert!(shown(&*client).await.is_empty());
    switch.turn(true);
    assert_eq!(story.next().await, "registered one");
    assert_eq!(switch.asked(), 8);
    gate.close().await.unwrap();
    assert_eq!(story.rest().await, Vec::<String>::new());
    assert!(shown(&*client).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_flaps_neither_opens_nor_shuts_it() {
    let (_, client) = memory();
    let tries = Arc::new(Mutex::new(0));
    let flap = move || {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        // Alternating, twice good at the 21st and 22nd, alternating again.
        let good = if *tries <= 20 { *tries % 2 == 0 } else { *tries <= 22 || *tries % 2 == 0 };
        std::future::ready(if good { Ok(()) } else { Err(*tries) })
    };
    let begun = Instant::now();
    let gate = health::gate(client.clone(), api(), flap, GateOptions::default()).unwrap();
    let mut story = Story::of(&gate);
    assert_eq!(story.next().await, "registered one");
    // The 20th and the 21st are good.
    assert_eq!(begun.elapsed().as_secs(), 20);
    sleep(seconds(100)).await;
    assert_eq!(shown(&*client).await, ["one"]);
    gate.close().await.unwrap();
    assert!(!story.rest().await.contains(&"withdrawn".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn every_bad_try_is_told_with_its_reason() {
    let (_, client) = memory();
    let gate = health::gate(client, api(), Switch::default().check(), GateOptions::default()).unwrap();
    let mut story = Story::of(&gate);
    for _ in 0..3 {
        let change = story.any().await.expect("no end");
        assert_eq!(word(&change), "failing: switched off");
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_that_hangs_is_bad_at_its_deadline_and_dropped() {
    for (interval, deadline) in [(Duration::from_millis(200), 1), (seconds(3), 3)] {
        let (_, client) = memory();
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let hang = move || {
            let held = Arc::clone(&held);
            async move {
                let _held = held;
                std::future::pending::<Result<(), String>>().await
            }
        };
        let begun = Instant::now();
        let gate = health::gate(client, api(), hang, GateOptions::default().interval(interval)).unwrap();
        let mut story = Story::of(&gate);
        let told = word(&story.any().await.unwrap());
        assert_eq!(told, format!("failing: no answer within {deadline}s"));
        assert_eq!(begun.elapsed().as_secs(), deadline);
        // One at a time: this test, the check, and at most one try.
        assert!(Arc::strong_count(&alive) <= 3);
        gate.close().await.unwrap();
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_try_delays_the_next_and_nothing_is_made_up_for() {
    let (_, client) = memory();
    let times = Arc::new(Mutex::new(Vec::new()));
    let (noted, begun) = (Arc::clone(&times), Instant::now());
    let slow_once = move || {
        let mut noted = noted.lock().unwrap();
        noted.push(begun.elapsed().as_millis());
        let takes = if noted.len() == 1 { 950 } else { 0 };
        async move {
            sleep(Duration::from_millis(takes)).await;
            Ok::<(), String>(())
        }
    };
    let options = GateOptions::default().rise(4).interval(Duration::from_millis(300));
    let gate = health::gate(client, api(), slow_once, options).unwrap();
    assert_eq!(Story::of(&gate).next().await, "registered one");
    gate.close().await.unwrap();
    assert_eq!(*times.lock().unwrap(), [0, 950, 1250, 1550]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_is_bad_and_does_not_end_the_gate() {
    let (_, client) = memory();
    let mut tries = 0;
    let wild = move || {
        tries += 1;
        assert!(tries != 1, "on purpose");
        let late = tries == 2;
        async move {
            assert!(!late, "on purpose, in the future");
            Ok::<(), String>(())
        }
    };
    let gate = health::gate(client, api(), wild, GateOptions::default().rise(1)).unwrap();
    let mut story = Story::of(&gate);
    for _ in 0..2 {
        assert_eq!(word(&story.any().await.unwrap()), "failing: the check panicked");
    }
    assert_eq!(story.next().await, "registered one");
    gate.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_a_check_it_registers_at_once() {
    let (_, client) = memory();
    let begun = Instant::now();
    let check: Box<dyn health::Check> = Box::new(health::always());
    let gate = health::gate(client.clone(), api(), check, GateOptions::default().rise(1)).unwrap();
    assert_eq!(Story::of(&gate).next().await, "registered one");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(gate.service(), &api());
    gate.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_late_is_told_from_the_beginning() {
    let (_, client) = memory();
    let gate = health::gate(client.clone(), api(), Switch::good().check(), GateOptions::default()).unwrap();
    until_shown(&*client, &["one"]).await;
    let mut late = Story::of(&gate);
    assert!(matches!(late.any().await, Some(GateChange::Passing)));
    assert_eq!(late.next().await, "registered one");
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let (_, client) = memory();
    let fine = GateOptions::default();
    let zero = Duration::ZERO;
    for options in [fine.rise(0), fine.fall(0), fine.interval(zero), fine.interval(Duration::from_micros(1))]
    {
        let error = health::gate(client.clone(), api(), health::always(), options).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Config, "{options:?}");
    }
}

#[tokio::test]
async fn an_instance_that_no_store_takes_is_refused_before_the_first_try() {
    let (_, client) = memory();
    let filler = "\u{1}".repeat(512);
    let wide = (0..64).fold(Service::builder("api", "10.0.0.7", 8080), |wide, number| {
        wide.attribute(&format!("k{number}"), &filler)
    });
    let error = health::gate(client, wide.build().unwrap(), health::always(), GateOptions::default())
        .expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn outside_a_runtime_there_is_no_gate() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async { memory().1 });
    let error =
        health::gate(client, api(), health::always(), GateOptions::default()).expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}
