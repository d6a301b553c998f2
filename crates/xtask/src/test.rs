//! Everything that a test run needs, then every test.

use std::{fs, path::Path, process::Command};

use crate::{
    Result, containers, lanes, protoc,
    run::{Tally, lines},
    servers,
    workspace::{Workspace, cargo},
};

/// What the suites read: names the backends whose server may be missing.
const ALLOW_MISSING: &str = "RECEPTION_TEST_ALLOW_MISSING";

/// Every feature, and no suite that hides another.
pub(crate) const EVERYTHING: &[&str] = &["--all-features", "--no-fail-fast"];

/// Finds or installs the servers, then runs all tests; `extra` goes to `cargo test`.
pub(crate) fn run(workspace: &Workspace, extra: &[String]) -> Result<()> {
    known(extra)?;
    if let Err(missing) = servers::run() {
        // Then every suite that lacks its server says so, and passes only when it is named there.
        if std::env::var_os(ALLOW_MISSING).is_none() {
            return Err(missing);
        }
        println!("servers: {missing}");
    }
    if extra.is_empty() {
        return lanes::run(workspace);
    }
    let mut tally = Tally::default();
    let done = cargo_test(&workspace.root, extra, &mut tally);
    println!("{tally}");
    done
}

/// Refuses a misspelt or misplaced flag before servers and builds; what follows `--` is for the suites.
fn known(extra: &[String]) -> Result<()> {
    let mut ours = extra.iter().take_while(|word| *word != "--");
    let Some(word) = ours.find(|word| word.starts_with("--container")) else { return Ok(()) };
    let flag = containers::FLAG;
    Err(format!("test does not know {word} there; the laws in containers: cargo xtask test {flag} [WORD..]"))
}

fn cargo_test(root: &Path, extra: &[String], tally: &mut Tally) -> Result<()> {
    let mut command = heeding();
    command.current_dir(root).arg("test");
    command.args(selection(extra)).args(extra);
    lines(protoc::provide(&mut command)?, None, |line| {
        println!("{line}");
        tally.count(line);
    })
}

/// Cargo, with the signals as a shell in front leaves them: the programs under test would ignore what `nohup` or a job in the background does,
/// and some of them are asked to stop by just that.
pub(crate) fn heeding() -> Command {
    let cargo = cargo();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !ignores_stops(&status) {
        return cargo;
    }
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT,QUIT").arg(cargo.get_program());
    command
}

/// Whether one of the first three signals, HUP, INT and QUIT, is ignored by the process with this status.
fn ignores_stops(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 0b111 != 0)
}

/// Everything, unless the caller picks packages; failures of one suite never hide another.
fn selection(extra: &[String]) -> Vec<&'static str> {
    let ours = extra.iter().take_while(|word| *word != "--");
    let picks = |word: &String| {
        word.starts_with("-p") || word.starts_with("--package") || word.starts_with("--workspace")
    };
    let mut selection = EVERYTHING.to_vec();
    if !ours.clone().any(picks) {
        selection.push("--workspace");
    }
    selection
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_flag_for_containers_that_is_misspelt_or_misplaced_is_refused_with_a_hint() {
        for line in ["--container", "--containers=l1", "-p reception-etcd --containers"] {
            assert!(known(&words(line)).unwrap_err().contains("test --containers"), "{line}");
        }
        for line in ["", "-p reception-etcd", "-- --container"] {
            assert_eq!(known(&words(line)), Ok(()), "{line}");
        }
    }

    #[test]
    fn a_run_that_was_started_with_nohup_is_noticed() {
        assert!(ignores_stops("SigBlk:\t0\nSigIgn:\t0000000180000001\n"));
        assert!(!ignores_stops("SigIgn:\t0000000180001000\n") && !ignores_stops(""));
    }

    #[test]
    fn all_members_are_tested_unless_some_are_picked() {
        assert!(selection(&[]).contains(&"--workspace"));
        assert!(selection(&words("-- -p")).contains(&"--workspace"));
        assert!(!selection(&words("-p reception-core")).contains(&"--workspace"));
        assert!(!selection(&words("--package=reception-core")).contains(&"--workspace"));
    }
}
