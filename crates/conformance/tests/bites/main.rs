//! The suite bites: for each law there are clients that break it, and the suite rejects each of them with a case
//! of that law, while the untouched client passes everything.

mod double;
mod elector;
mod flaw;
mod guard;
mod stand;
mod watcher;

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reception_conformance::{Law, Outcome, Plan, Report, run};

use crate::{flaw::BITES, stand::Stand};

/// Threads and descriptors belong to the process: one run at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn play<const NUMBER: usize>(filter: &str) -> Report {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan::new().filter(filter).limit(Duration::from_secs(30));
    run::<Stand<NUMBER>>(&plan).unwrap_or_else(|error| panic!("no runtime: {error}"))
}

/// Plays the cases of the double's law; a row of the table, or why the double was not rejected as it should be.
fn bite<const NUMBER: usize>(table: &mut String) -> Result<(), String> {
    let bite = &BITES[NUMBER];
    let prefix = format!("l{:02}::", bite.law.number());
    let report = play::<NUMBER>(&prefix);
    let name = format!("{prefix}{}", bite.case);
    let count = report.failing().count();
    let _ = writeln!(table, "{:<4} {:<24} {name} (of {count})", bite.law, bite.name);
    let said = report.failing().find(|result| result.name == name).map(|result| &result.outcome);
    match said {
        Some(Outcome::Failing(words)) if words.contains(bite.words) => Ok(()),
        other => Err(format!("{} was to be rejected by {name}, which says {other:?}\n{report}", bite.name)),
    }
}

#[test]
fn the_untouched_client_passes() {
    let report = play::<0>("");
    assert!(report.all_proved(), "{report}");
}

macro_rules! bites {
    ($table:ident: $($number:literal)+) => {
        [$(bite::<$number>(&mut $table)),+]
    };
}

#[test]
fn every_double_is_rejected_by_a_case_of_its_law() {
    for law in Law::ALL {
        assert!(BITES[1..].iter().any(|bite| bite.law == law), "no double breaks {law}");
    }
    let mut table = format!("{:<4} {:<24} rejected by\n", "law", "double");
    let outcomes = bites!(table: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41);
    assert_eq!(outcomes.len() + 1, BITES.len(), "each double is played");
    println!("{table}");
    let passed: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(passed.is_empty(), "{passed:#?}");
}
