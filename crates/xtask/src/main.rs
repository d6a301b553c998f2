//! The tasks of this repository: `cargo xtask TASK`.
//!
//! One file per task. A task prints what it does and ends with exit code 0, or names what is wrong.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what a task prints is its result")]

mod again;
mod apt;
mod backend;
mod ci;
mod clone;
mod containers;
mod deps;
mod exhibitor;
mod faults;
mod lanes;
mod layout;
mod leash;
mod licences;
mod lint;
mod protoc;
mod readme;
mod rooms;
mod run;
mod servers;
mod skeleton;
mod sources;
mod test;
mod unpack;
mod weaken;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

/// What a task answers; the text says what is wrong and what to do.
pub(crate) type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
cargo xtask ci [STEP..]      every check of this repository, or the named steps
cargo xtask test [ARG..]     servers, then all tests on memory and on real servers; ARGs go to cargo test
cargo xtask test --containers [WORD..]
                             the laws on servers in containers, taken down after; WORDs go to the suites
cargo xtask faults --backend B [--seed N] [--all] [--only F7,F9] [--weakened NAME]
                             the fault scenarios; with --weakened on a copy that they must catch
cargo xtask servers          finds or installs the server programs that the tests run
cargo xtask backend NAME     lays the folder and rows of a backend, runs its laws, says what to open next
cargo xtask layout           checks folders, rooms, rows and manifests
cargo xtask deps             checks the directions and lists of dependencies
cargo xtask sources          checks what no compiler does: banned calls, doc headings, machine paths";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match task(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("xtask: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn task(arguments: &[String]) -> Result<()> {
    let Some((task, rest)) = arguments.split_first() else {
        return Err(format!("which task?\n{USAGE}"));
    };
    if wants_help(task, rest) {
        println!("{USAGE}");
        return Ok(());
    }
    let workspace = Workspace::load(std::path::Path::new("."))?;
    match (task.as_str(), rest) {
        ("ci", steps) => ci::run(&workspace, steps),
        ("test", [flag, words @ ..]) if flag == containers::FLAG => containers::run(&workspace, words),
        (containers::KEEPER, words) => containers::keep(&workspace, words),
        ("test", extra) => test::run(&workspace, extra),
        (lanes::KEEPER, []) => lanes::keep(&workspace),
        ("faults", words) => faults::run(&workspace, words),
        (faults::KEEPER, words) => faults::keep(&workspace, words),
        ("servers", []) => servers::run(),
        ("backend", [name]) => backend::run(&workspace, name),
        ("backend", _) => Err("backend takes one NAME, as in `cargo xtask backend nats`".to_owned()),
        ("layout", []) => clean("layout", &layout::faults(&workspace)?),
        ("deps", []) => clean("dependencies", &deps::faults(&workspace.members)),
        ("sources", []) => clean("sources", &sources::faults(&workspace)?),
        _ => Err(format!("no such task: {}\n{USAGE}", arguments.join(" "))),
    }
}

/// Whether the words ask what the tasks take; `test` passes them on, since cargo and the suites have their own help.
fn wants_help(task: &str, rest: &[String]) -> bool {
    let help = |word: &str| matches!(word, "--help" | "-h");
    let known = USAGE.lines().any(|line| line.starts_with(&format!("cargo xtask {task} ")));
    task == "help" || help(task) || (known && task != "test" && rest.iter().any(|word| help(word)))
}

/// Turns the faults that a check found into its answer.
fn clean(check: &str, faults: &[String]) -> Result<()> {
    if faults.is_empty() {
        println!("{check}: nothing to say");
        return Ok(());
    }
    Err(format!("{check}: {} at fault\n  {}", faults.len(), faults.join("\n  ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_tells_its_usage_but_the_one_that_passes_its_words_on() {
        let asks = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            wants_help(&words[0], &words[1..])
        };
        for line in
            ["help", "--help", "-h", "ci --help", "faults --backend etcd -h", "backend -h", "sources --help"]
        {
            assert!(asks(line), "{line}");
        }
        for line in ["test --help", "test --containers --help", "ci", "faults --backend etcd", "fault --help"]
        {
            assert!(!asks(line), "{line}");
        }
    }
}
