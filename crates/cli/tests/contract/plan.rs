//! What is played, and how it is told.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Builder;

use crate::{
    case::{Case, Need},
    cases,
    ground::Ground,
    row::{self, ABSENT, ROWS, Row},
};

/// Most cases wait most of their time; more at once would crowd two cores.
const THREADS: usize = 4;

/// The seed of a run that names none: a plain test run plays the same each time.
const SEED: u64 = 1;

/// What a server that is not there may be allowed by, as for the suites of the laws.
const ALLOW_MISSING: &str = "RECEPTION_TEST_ALLOW_MISSING";

/// How much is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) seed: u64,
    /// Play the long rounds, not the short ones.
    pub(crate) full: bool,
}

#[expect(clippy::disallowed_methods, reason = "how a caller reaches a test target")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn size() -> Result<Size, String> {
    let seed = match variable("RECEPTION_COMMAND_SEED") {
        Some(text) => text.parse().map_err(|_| format!("RECEPTION_COMMAND_SEED is no number: {text}"))?,
        None => SEED,
    };
    Ok(Size { seed, full: variable("RECEPTION_COMMAND_ALL").is_some() })
}

/// Plays what the command line and the environment ask for, with the arguments of the standard test harness.
pub(crate) fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let size = match size() {
        Ok(size) => size,
        Err(wrong) => {
            say(&wrong);
            return ExitCode::FAILURE;
        }
    };
    if !arguments.list {
        say(&format!("command: seed {}, {} rounds", size.seed, if size.full { "long" } else { "short" }));
    }
    for absent in ABSENT {
        say(&format!("command: unproven on {absent}: it is not in this build; add --features {absent}"));
    }
    let allowed = variable(ALLOW_MISSING).unwrap_or_default();
    let mut trials = Vec::new();
    for row in ROWS {
        if let Some(missing) = row.missing() {
            if allowed.split(',').any(|name| name.trim() == row.name) {
                say(&format!("command: unproven on {}: {missing}, allowed by {ALLOW_MISSING}", row.name));
                continue;
            }
            let told = format!("{missing}; to go on without it set {ALLOW_MISSING}={}", row.name);
            trials.push(Trial::test(format!("{}::is_there", row.name), move || Err(told.into())));
            continue;
        }
        if !arguments.list {
            tell_lacks(row);
        }
        for case in cases::all().into_iter().filter(|case| row.plays(case)) {
            trials.push(Trial::test(format!("{}::{}", row.name, case.name), move || {
                play(row, case, size);
                Ok(())
            }));
        }
    }
    for case in cases::alone() {
        trials.push(Trial::test(format!("command::{}", case.name), move || {
            play(row::LOCAL, case, size);
            Ok(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What a row cannot do is named with its reason: what is not played is not proven.
fn tell_lacks(row: &Row) {
    for (need, reason) in row.lacks {
        let count = cases::all().iter().filter(|case| first_lack(row, case) == Some(*need)).count();
        if count > 0 {
            say(&format!("command: {count} cases need {need}, which {} has not: {reason}", row.name));
        }
    }
}

fn first_lack(row: &Row, case: &Case) -> Option<Need> {
    case.needs.iter().copied().find(|need| row.lack(*need))
}

fn play(row: &'static Row, case: Case, size: Size) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let own = case.needs.iter().any(|need| need.breaks());
        let ground = Arc::new(Ground::new(row, own, size).await);
        (case.play)(&ground).await;
    });
}

/// Prints past the standard harness's printer; a closed pipe is not our failure.
pub(crate) fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}
