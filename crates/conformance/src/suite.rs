//! The command line: the `main` of a test target.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use libtest_mimic::{Arguments, Completion, Trial};

use crate::{
    fixture::{Fixture, Missing},
    report::{CaseResult, Outcome, Report},
    runner::{House, LIMIT, in_order, stale},
};

/// Names the fixtures whose store may be missing, split by commas.
const ALLOW_MISSING: &str = "RECEPTION_TEST_ALLOW_MISSING";

/// How many trials run side by side unless `--test-threads` says it: most of them wait most of their time.
const THREADS: usize = 8;

/// Defines the `main` of a `harness = false` test target that plays every case against a [`Fixture`].
///
/// ```no_run
/// # mod stand {
/// #     use std::sync::Arc;
/// #     use reception_conformance::{Fixture, Missing};
/// #     use reception_core::{Client, Result};
/// #     pub struct Mine;
/// #     impl Fixture for Mine {
/// #         const NAME: &'static str = "mine";
/// #         async fn start() -> Result<Self, Missing> { Err(Missing::new("an example")) }
/// #         async fn stop(self: Arc<Self>) {}
/// #         async fn dial(&self, _case: &str) -> Result<Arc<dyn Client>> { unreachable!() }
/// #         async fn exclusive(&self) -> Result<Self, Missing> { Err(Missing::new("an example")) }
/// #         async fn residue(&self, _case: &str) -> Vec<String> { Vec::new() }
/// #     }
/// # }
/// reception_conformance::suite!(stand::Mine);
/// ```
#[macro_export]
macro_rules! suite {
    ($fixture:ty) => {
        fn main() -> ::std::process::ExitCode {
            $crate::main::<$fixture>()
        }
    };
}

/// Plays the cases that the command line asks for, with the arguments of the standard test harness, and prints
/// the matrix. What [`suite!`](crate::suite!) calls.
#[must_use]
pub fn main<F: Fixture>() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    if arguments.list || !any_chosen::<F>(&arguments) {
        return libtest_mimic::run(&arguments, idle_trials::<F>()).exit_code();
    }
    match House::<F>::open(LIMIT) {
        Err(error) => {
            say(&format!("laws on {}: no runtime: {error}", F::NAME));
            ExitCode::FAILURE
        }
        Ok(Err(missing)) => without_a_store::<F>(&missing),
        Ok(Ok(house)) => play(&arguments, house),
    }
}

fn play<F: Fixture>(arguments: &Arguments, house: House<F>) -> ExitCode {
    let (house, results) = (Arc::new(house), Arc::new(Mutex::new(Vec::new())));
    let trials = in_order().map(|case| {
        let (house, results) = (Arc::clone(&house), Arc::clone(&results));
        Trial::ignorable_test(case.name, move || {
            let result = house.play(case);
            let completion = match &result.outcome {
                Outcome::Proved => Ok(Completion::Completed),
                Outcome::Failing(what) => Err(what.into()),
                Outcome::Unproven(why) => Ok(Completion::ignored_with(why)),
            };
            keep(&results, result);
            completion
        })
    });
    let conclusion = libtest_mimic::run(arguments, trials.chain(stale_trials::<F>()).collect());
    let results = std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner));
    say(&Report::new::<F>(results).to_string());
    // Every trial has ended or was given up, so nobody else holds the house.
    if let Some(house) = Arc::into_inner(house) {
        house.close();
    }
    conclusion.exit_code()
}

fn keep(results: &Mutex<Vec<CaseResult>>, result: CaseResult) {
    results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
}

/// The trials by name alone, for `--list` and for a filter that fits none: no store is started for these.
fn idle_trials<F: Fixture>() -> Vec<Trial> {
    in_order().map(|case| Trial::test(case.name, || Ok(()))).chain(stale_trials::<F>()).collect()
}

/// One failing trial per entry of UNPROVEN that names no case.
fn stale_trials<F: Fixture>() -> impl Iterator<Item = Trial> {
    let fail = || Err("this entry of the fixture's UNPROVEN list names no case".into());
    stale::<F>().into_iter().map(move |name| Trial::test(format!("unproven::{name}"), fail))
}

fn any_chosen<F: Fixture>(arguments: &Arguments) -> bool {
    idle_trials::<F>().iter().any(|trial| !arguments.is_filtered_out(trial))
}

fn without_a_store<F: Fixture>(missing: &Missing) -> ExitCode {
    let allowed = allowed(F::NAME);
    let advice = if allowed {
        format!("allowed by {ALLOW_MISSING}")
    } else {
        format!("to go on without it set {ALLOW_MISSING}={}", F::NAME)
    };
    say(&format!("laws on {}: missing: {missing}\nnothing is proved; {advice}", F::NAME));
    if allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::disallowed_methods, reason = "the variable is documented as the suite's own and read once")]
fn allowed(name: &str) -> bool {
    std::env::var(ALLOW_MISSING).is_ok_and(|names| allows(&names, name))
}

fn allows(names: &str, name: &str) -> bool {
    names.split(',').any(|one| one.trim() == name)
}

/// Prints past the standard harness's printer; a closed pipe is not our failure.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn a_missing_store_is_allowed_by_its_whole_name_alone() {
        assert!(allows("etcd", "etcd"));
        assert!(allows("consul, etcd", "etcd"));
        assert!(!allows("etcd2", "etcd") && !allows("", "etcd") && !allows("1", "etcd"));
    }
}
