//! Every test, in two lanes beside each other: suites that mostly wait play beside those that mostly work.
//!
//! A keeper plays them, so that whatever ends the task ends both lanes.

use std::{path::PathBuf, process::Command, thread, time::Duration};

use crate::{
    Result,
    again::{Failures, TIMES, worth_another_try},
    leash::{self, Leash, say},
    protoc,
    run::{Tally, minutes},
    test::{EVERYTHING, heeding},
    workspace::{Workspace, cargo},
};

/// The task that the keeper is, which nobody calls by hand.
pub(crate) const KEEPER: &str = "keep-tests";

/// The suites of the lane beside: the longest, which wait for leases to end. All others are in the first lane.
const BESIDE: &[&str] = &["conformance_http", "conformance_reception", "contract", "faults"];

/// Nothing goes on for longer, whatever hangs.
const LONGEST: Duration = minutes(60);

/// What is played alone takes no longer.
const ALONE: Duration = minutes(5);

/// Builds and plays every test of the workspace.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    if leash::kept(workspace, KEEPER, &[])? { Ok(()) } else { Err("not every test passed".to_owned()) }
}

/// What the keeper does. The first lane is printed as it comes, the one beside whole when both have ended.
pub(crate) fn keep(workspace: &Workspace) -> Result<()> {
    // No command here is a quiet one.
    let leash = Leash::held(PathBuf::new());
    let (first, beside) = split(workspace);
    leash.lines(&mut test(workspace, &["--no-run".to_owned()], cargo())?, LONGEST, say)?;
    let mut tally = Tally::default();
    let mut kept = Vec::new();
    let mut played = thread::scope(|scope| {
        let other = scope.spawn(|| play(&leash, workspace, &beside, |line| kept.push(line.to_owned())));
        let mut shown = |line: &str| {
            say(line);
            tally.count(line);
        };
        let mut played = Vec::new();
        for words in [first, vec!["--doc".to_owned()]] {
            played.push(play(&leash, workspace, &words, &mut shown));
        }
        say(&format!("\nwhat was played beside ({}):", BESIDE.join(", ")));
        let broke = |_| (Err("the lane beside broke".to_owned()), Failures::default());
        played.push(other.join().unwrap_or_else(broke));
        played
    });
    for line in &kept {
        say(line);
        tally.count(line);
    }
    say(&tally.to_string());
    played.retain(|(done, _)| done.is_err());
    if played.is_empty() || again(&leash, workspace, &played)? {
        return Ok(());
    }
    let wrong: Vec<String> = played.into_iter().filter_map(|(done, _)| done.err()).collect();
    Err(wrong.join("\n"))
}

/// Plays suites, and hands on what they print.
fn play(
    leash: &Leash,
    workspace: &Workspace,
    words: &[String],
    mut seen: impl FnMut(&str),
) -> (Result<()>, Failures) {
    let mut failures = Failures::default();
    let mut heard = |line: &str| {
        seen(line);
        failures.see(line);
    };
    let done = test(workspace, words, merged())
        .and_then(|mut command| leash.lines(&mut command, LONGEST, &mut heard));
    (done, failures)
}

/// Whether all that failed holds when each test is played alone, now that nothing else is.
fn again(leash: &Leash, workspace: &Workspace, played: &[(Result<()>, Failures)]) -> Result<bool> {
    let tests = worth_another_try(played.iter().map(|(_, failures)| failures));
    for failed in &tests {
        for turn in 1..=TIMES {
            say(&format!("\nagain, alone, {turn} of {TIMES}: {} ({})", failed.name, failed.suite));
            let mut tally = Tally::default();
            let mut shown = |line: &str| {
                say(line);
                tally.count(line);
            };
            let mut command = test(workspace, &failed.words(), merged())?;
            let held = leash.lines(&mut command, ALONE, &mut shown).is_ok();
            if !held || tally.passed == 0 {
                say(&format!("it fails alone, too: {}", failed.name));
                return Ok(false);
            }
        }
    }
    for failed in &tests {
        say(&format!(
            "failed among the others, held alone {TIMES} times: {} ({})",
            failed.name, failed.suite
        ));
    }
    Ok(!tests.is_empty())
}

/// What cargo is told for each lane. All select the same packages and features, so that nothing is built twice.
fn split(workspace: &Workspace) -> (Vec<String>, Vec<String>) {
    let all = workspace.members.iter().flat_map(|member| &member.tests);
    let (mut beside, mut first): (Vec<&String>, Vec<&String>) =
        all.partition(|suite| BESIDE.contains(&suite.as_str()));
    let words = |suites: &mut Vec<&String>| {
        // Suites of one name in several packages are all meant.
        suites.sort();
        suites.dedup();
        suites.iter().flat_map(|suite| ["--test".to_owned(), suite.to_string()]).collect::<Vec<_>>()
    };
    let mut units = vec!["--lib".to_owned(), "--bins".to_owned()];
    units.extend(words(&mut first));
    (units, words(&mut beside))
}

fn test(workspace: &Workspace, words: &[String], mut cargo: Command) -> Result<Command> {
    cargo.current_dir(&workspace.root).arg("test").args(EVERYTHING).arg("--workspace").args(words);
    protoc::provide(&mut cargo)?;
    Ok(cargo)
}

/// Cargo, with what it and the suites say on stderr among the rest, where it belongs.
fn merged() -> Command {
    let cargo = heeding();
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$@" 2>&1"#, "sh"]).arg(cargo.get_program()).args(cargo.get_args());
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Member;

    #[test]
    fn every_suite_is_in_one_lane() {
        let member = |tests: &[&str]| Member {
            tests: tests.iter().map(|&name| name.to_owned()).collect(),
            ..Member::default()
        };
        let members = vec![member(&["conformance", "faults"]), member(&["conformance", "auth"])];
        let workspace = Workspace { root: PathBuf::new(), target: PathBuf::new(), members };
        let (first, beside) = split(&workspace);
        assert_eq!(first, ["--lib", "--bins", "--test", "auth", "--test", "conformance"]);
        assert_eq!(beside, ["--test", "faults"]);
    }

    #[test]
    fn the_suites_of_the_lane_beside_are_there() {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = Workspace::load(here).unwrap();
        let (_, beside) = split(&workspace);
        for suite in BESIDE {
            assert!(beside.iter().any(|word| word == suite), "no suite is called {suite}");
        }
    }
}
