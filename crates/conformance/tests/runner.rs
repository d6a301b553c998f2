//! How a run treats what is missing, unproven, stale or hanging: on fixtures with few or bad parts.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use reception_conformance::{Fixture, Missing, Outcome, Plan, Report, run};
use reception_core::{Client, Clock, Error, ErrorKind, Result};
use reception_memory::{Cluster, Options};
use tokio::runtime::{Builder, Runtime};

/// A fixture without any hook, or one that is bad in its own way.
struct Bare<const KIND: u8>(Cluster);

const PLAIN: u8 = 0;
const LISTED: u8 = 1;
const ABSENT: u8 = 2;
const HANGING: u8 = 3;
const PANICKING: u8 = 4;
const REFUSING: u8 = 5;

impl<const KIND: u8> Fixture for Bare<KIND> {
    const NAME: &'static str = "bare";
    const UNPROVEN: &'static [(&'static str, &'static str)] = if KIND == LISTED {
        &[
            ("l05::a_cut_never_ends_a_stream", "nothing can be cut here"),
            ("l05::a_dropped_watch_does_not_end_its_neighbour", "a stale entry: this can be proved"),
            ("l05::no_such_case", "a stale entry: there is no such case"),
        ]
    } else {
        &[]
    };

    fn runtime() -> io::Result<Runtime> {
        Builder::new_current_thread().enable_all().build()
    }

    async fn start() -> Result<Self, Missing> {
        if KIND == ABSENT {
            return Err(Missing::new("there is no such store"));
        }
        Ok(Self(Cluster::with_clock(Clock::BOOT)))
    }

    async fn stop(self: Arc<Self>) {}

    async fn dial(&self, case: &str) -> Result<Arc<dyn Client>> {
        match KIND {
            HANGING => thread::sleep(Duration::from_millis(1500)),
            PANICKING => panic!("a fixture's own words"),
            REFUSING => return Err(Error::new(ErrorKind::Unsupported, "bare", "dial", "not today")),
            _ => {}
        }
        Ok(Arc::new(self.0.client(Options::default().namespace(case))?))
    }

    async fn exclusive(&self) -> Result<Self, Missing> {
        Err(Missing::new("there is one store"))
    }

    async fn residue(&self, case: &str) -> Vec<String> {
        self.0.residue(case).unwrap_or_default()
    }
}

/// Threads and descriptors belong to the process: one run at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const CUT: &str = "l05::a_cut_never_ends_a_stream";
const DROPPED: &str = "l05::a_dropped_watch_does_not_end_its_neighbour";
const EMPTY: &str = "l02::an_empty_watch_starts_with_a_reset";

fn play<const KIND: u8>(filter: &str) -> Report {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let plan =
        Plan::new().filter(filter).limit(Duration::from_millis(if KIND == HANGING { 300 } else { 20_000 }));
    run::<Bare<KIND>>(&plan).unwrap_or_else(|error| panic!("no runtime: {error}"))
}

fn outcome<'a>(report: &'a Report, case: &str) -> &'a Outcome {
    let found = report.results.iter().find(|result| result.name == case);
    found.map(|result| &result.outcome).unwrap_or_else(|| panic!("{case} was not played:\n{report}"))
}

fn failing_with(report: &Report, case: &str, words: &str) {
    let outcome = outcome(report, case);
    assert!(matches!(outcome, Outcome::Failing(text) if text.contains(words)), "{case}: {outcome:?}");
}

#[test]
fn a_missing_store_proves_nothing() {
    let report = play::<ABSENT>("");
    assert!(report.results.is_empty() && !report.all_proved());
    assert_eq!(report.missing.as_deref(), Some("there is no such store"));
    assert!(report.to_string().contains("missing: there is no such store"));
}

#[test]
fn a_case_without_its_hook_fails_unless_it_is_listed() {
    failing_with(&play::<PLAIN>(CUT), CUT, "not on the fixture's UNPROVEN list");
    let report = play::<LISTED>(CUT);
    assert_eq!(outcome(&report, CUT), &Outcome::Unproven("nothing can be cut here".to_owned()));
    assert!(!report.all_proved());
}

#[test]
fn a_stale_entry_fails() {
    assert_eq!(outcome(&play::<PLAIN>(DROPPED), DROPPED), &Outcome::Proved);
    let report = play::<LISTED>(DROPPED);
    failing_with(&report, DROPPED, "stale");
    assert_eq!(report.stale, ["l05::no_such_case"]);
}

#[test]
fn a_store_that_cannot_be_had_alone_leaves_its_cases_unproven() {
    let case = "l17::many_watchers_share_one_watch_at_the_store";
    failing_with(&play::<PLAIN>(case), case, "no store of its own");
}

#[test]
fn a_trial_that_hangs_fails_and_the_others_go_on() {
    let report = play::<HANGING>("l02::a");
    failing_with(&report, EMPTY, "hangs");
    assert!(report.results.len() > 1);
}

#[test]
fn a_panic_fails_its_trial_with_its_words() {
    failing_with(&play::<PANICKING>(EMPTY), EMPTY, "a fixture's own words");
}

#[test]
fn what_is_unsupported_is_unproven_and_never_green() {
    failing_with(&play::<REFUSING>(EMPTY), EMPTY, "unproven");
}
