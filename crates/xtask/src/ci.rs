//! Every check of this repository, in one order, each with its name, its time and its outcome.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Result, clean, clone, containers, deps, layout, licences, lint, protoc, readme,
    run::{Tally, bounded, lines, minutes, now},
    sources,
    workspace::{Workspace, cargo, read},
};

type Work = fn(&mut Ci<'_>) -> Result<()>;

/// The cheap ones first, the tests last: what they print is the end of the run.
const STEPS: &[(&str, Work)] = &[
    ("format", |ci| bounded(ci.cargo().args(["fmt", "--all", "--check", "--", "-l"]), minutes(2))),
    ("fetch", |ci| bounded(ci.cargo().args(["fetch", "--quiet", "--locked"]), minutes(5))),
    ("layout", |ci| clean("layout", &layout::faults(ci.workspace)?)),
    ("deps", |ci| clean("dependencies", &deps::faults(&ci.workspace.members))),
    ("sources", |ci| clean("sources", &sources::faults(ci.workspace)?)),
    ("licences", |ci| licences::run(ci.workspace)),
    ("clippy-default", |ci| lint::default_members(ci.workspace)),
    ("clippy-all", |ci| lint::all_features(ci.workspace)),
    ("clippy-each", |ci| lint::each_feature(ci.workspace)),
    ("docs", |ci| lint::docs(ci.workspace)),
    ("readme", |ci| ci.readme()),
    ("examples", |ci| ci.examples()),
    ("test", |ci| ci.test()),
    ("containers", |ci| ci.containers()),
];

/// One step that was run.
struct Done {
    name: &'static str,
    time: Duration,
    outcome: Result<()>,
}

struct Ci<'a> {
    workspace: &'a Workspace,
    copy: Option<PathBuf>,
    tally: Tally,
    done: Vec<Done>,
}

/// Runs the named steps, or all; every step is run, also after one that failed.
pub(crate) fn run(workspace: &Workspace, only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !STEPS.iter().any(|(step, _)| step == name)) {
        let steps: Vec<&str> = STEPS.iter().map(|(step, _)| *step).collect();
        return Err(format!("no such step: {unknown} (steps: {})", steps.join(", ")));
    }
    let started = now();
    let mut ci = Ci { workspace, copy: None, tally: Tally::default(), done: Vec::new() };
    for (name, work) in
        STEPS.iter().filter(|(step, _)| only.is_empty() || only.iter().any(|name| name == step))
    {
        ci.step(name, *work);
    }
    ci.finish(started)
}

impl Ci<'_> {
    fn step(&mut self, name: &'static str, work: Work) {
        println!("==> {name}");
        let started = now();
        let outcome = work(self);
        let time = started.elapsed();
        match &outcome {
            Ok(()) => println!("<== {name}: ok in {:.1} s", time.as_secs_f64()),
            Err(wrong) => println!("<== {name}: FAILED after {:.1} s\n{wrong}", time.as_secs_f64()),
        }
        self.done.push(Done { name, time, outcome });
    }

    fn finish(self, started: Instant) -> Result<()> {
        println!("\n{}", summary(&self.done, started.elapsed()));
        let failed: Vec<&str> =
            self.done.iter().filter(|step| step.outcome.is_err()).map(|step| step.name).collect();
        if self.tally.suites > 0 {
            println!("{}", self.tally);
        }
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
    }

    fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.workspace.root);
        command
    }

    /// The commands that README.md shows, in a fresh copy and without protoc; the tests come last.
    fn readme(&mut self) -> Result<()> {
        for line in self.readme_commands()?.iter().filter(|line| *line != readme::TEST) {
            println!("$ {line}");
            bounded(&mut self.newcomer(line)?, minutes(10))?;
        }
        Ok(())
    }

    /// Every example that the README did not run, as a newcomer runs it.
    fn examples(&mut self) -> Result<()> {
        let shown = self.readme_commands()?;
        let shown: Vec<&str> = shown.iter().filter_map(|line| readme::example(line)).collect();
        let names = self.workspace.members.iter().flat_map(|member| &member.examples);
        for name in names.filter(|name| !shown.contains(&name.as_str())) {
            let line = format!("cargo run --quiet --example {name}");
            println!("$ {line}");
            bounded(&mut self.newcomer(&line)?, minutes(3))?;
        }
        Ok(())
    }

    /// The README's command for the tests: it is the run of the tests.
    fn test(&mut self) -> Result<()> {
        let mut tally = Tally::default();
        let mut command = self.newcomer(readme::TEST)?;
        println!("$ {}", readme::TEST);
        let done = lines(&mut command, Some(minutes(45)), |line| {
            tally.count(line);
            // The sum is said once, at the end.
            if line != tally.to_string() {
                println!("{line}");
            }
        });
        self.tally = tally;
        if done.is_ok() && tally.suites == 0 {
            return Err("no test was run".to_owned());
        }
        done
    }

    /// The laws once more, on servers in containers: twelve minutes at most, unless the tests have not built the suites yet.
    fn containers(&mut self) -> Result<()> {
        let line = format!("cargo xtask test {}", containers::FLAG);
        println!("$ {line}");
        bounded(&mut self.newcomer(&line)?, minutes(25))
    }

    fn readme_commands(&self) -> Result<Vec<String>> {
        readme::commands(&read(&self.workspace.root.join("README.md"))?)
    }

    /// A command line in a fresh copy of the tree, with protoc hidden; only the target folder is shared.
    fn newcomer(&mut self, line: &str) -> Result<Command> {
        let copy = match &self.copy {
            Some(copy) => copy.clone(),
            None => self.copy.insert(clone::fresh(self.workspace, "copy")?).clone(),
        };
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(copy).env("CARGO_TARGET_DIR", &self.workspace.target);
        // What cargo set for this program is not what a newcomer has.
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST") || name == "CARGO" {
                command.env_remove(&variable);
            }
        }
        protoc::hide(&mut command, &self.workspace.target.join("xtask/path"))?;
        Ok(command)
    }
}

fn summary(done: &[Done], total: Duration) -> String {
    let mut table = format!("{:<16} {:>8}  outcome\n", "step", "seconds");
    for Done { name, time, outcome } in done {
        let outcome = if outcome.is_ok() { "ok" } else { "FAILED" };
        table += &format!("{name:<16} {:>8.1}  {outcome}\n", time.as_secs_f64());
    }
    table + &format!("{:<16} {:>8.1}", "total", total.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_each_step_its_time_and_its_outcome() {
        let done = [
            Done { name: "format", time: Duration::from_millis(1500), outcome: Ok(()) },
            Done { name: "docs", time: Duration::from_secs(61), outcome: Err("broken link".to_owned()) },
        ];
        let table = summary(&done, Duration::from_millis(62_500));
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["format", "1.5", "ok"]);
        assert_eq!(lines[2], ["docs", "61.0", "FAILED"]);
        assert_eq!(lines[3], ["total", "62.5"]);
    }
}
