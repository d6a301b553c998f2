//! Plays the fault scenarios on the tree, or on a weakened copy of it that they must catch.
//!
//! A keeper does it, so that builds and scenarios end with the task, however that one ends; and with them the servers,
//! which end with the process that started them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Result, clone,
    leash::{self, Leash, say},
    protoc,
    run::{minutes, spelled},
    servers,
    weaken::Weakening,
    workspace::{Workspace, cargo},
};

pub(crate) const USAGE: &str = "\
cargo xtask faults --backend B [--seed N] [--all] [--only F7,F9] [--weakened NAME]
                             the fault scenarios; with --weakened on a copy that they must catch";

/// The task that the keeper is, which nobody calls by hand.
pub(crate) const KEEPER: &str = "keep-faults";

/// The backends whose scenarios need no server program.
const SERVERLESS: &[&str] = &["local"];

const BUILD: Duration = minutes(20);
const SHORT: Duration = minutes(20);
const FULL: Duration = minutes(180);

/// What the words ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    backend: String,
    seed: u64,
    all: bool,
    only: Option<String>,
    weakened: Option<String>,
}

impl Asked {
    fn parse(words: &[String]) -> Result<Self> {
        let mut asked = Self { seed: 1, ..Self::default() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or(format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--all" => asked.all = true,
                "--backend" => asked.backend = value()?,
                "--only" => asked.only = Some(scenarios(value()?)?),
                "--weakened" => asked.weakened = Some(value()?),
                "--seed" => {
                    let seed = value()?;
                    asked.seed = seed.parse().map_err(|_| format!("--seed takes a number, not {seed}"))?;
                }
                _ => return Err(format!("faults does not know {word}\n{USAGE}")),
            }
        }
        if asked.backend.is_empty() {
            return Err(format!("which --backend?\n{USAGE}"));
        }
        Ok(asked)
    }

    /// The command that plays in the tree at `root`.
    fn command(&self, root: &Path, only: Option<&str>) -> Result<Command> {
        let mut command = cargo();
        command.current_dir(root).args(["test", "--quiet", "-p", "reception-tests", "--test", "faults"]);
        command.env("RECEPTION_FAULTS_BACKEND", &self.backend);
        command.env("RECEPTION_FAULTS_SEED", self.seed.to_string());
        for (name, value) in
            [("RECEPTION_FAULTS_ALL", self.all.then_some("1")), ("RECEPTION_FAULTS_ONLY", only)]
        {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        protoc::provide(&mut command)?;
        Ok(command)
    }

    fn weakening(&self) -> Result<Option<&'static Weakening>> {
        let Some(name) = &self.weakened else { return Ok(None) };
        Weakening::named(name, &self.backend).map(Some)
    }

    fn limit(&self) -> Duration {
        if self.all { FULL } else { SHORT }
    }
}

/// Takes `F7,F9`; whether there is an F7 is for the scenarios to say.
fn scenarios(text: String) -> Result<String> {
    let number = |word: &str| word.trim().trim_start_matches(['F', 'f']).parse::<u8>().is_ok();
    if text.split(',').all(number) { Ok(text) } else { Err(format!("--only is like F7,F9, not {text}")) }
}

/// Refuses a backend that no scenario can be played on.
fn staged(workspace: &Workspace, backend: &str) -> Result<()> {
    let stand = |name: &String| workspace.root.join(format!("tests/tests/faults/{name}.rs")).is_file();
    let staged: Vec<String> = workspace.backends().into_iter().filter(stand).collect();
    if staged.iter().any(|name| name == backend) {
        return Ok(());
    }
    Err(format!("no stand for {backend}; there are: {}", staged.join(", ")))
}

/// Finds or installs the servers, then plays what the words ask for.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<()> {
    let asked = Asked::parse(words)?;
    staged(workspace, &asked.backend)?;
    asked.weakening()?;
    if !SERVERLESS.contains(&asked.backend.as_str()) {
        servers::run()?;
    }
    let done = leash::kept(workspace, KEEPER, words)?;
    if done { Ok(()) } else { Err("the fault scenarios did not show what they must".to_owned()) }
}

/// What the keeper does.
pub(crate) fn keep(workspace: &Workspace, words: &[String]) -> Result<()> {
    let asked = Asked::parse(words)?;
    // No command here is a quiet one.
    let leash = Leash::held(PathBuf::new());
    match asked.weakening()? {
        Some(weakening) => caught(&leash, workspace, &asked, weakening),
        None => {
            let mut command = asked.command(&workspace.root, asked.only.as_deref())?;
            leash.lines(&mut command, asked.limit(), say)
        }
    }
}

/// Weakens a copy, and succeeds when the scenarios fail on it as they must.
fn caught(leash: &Leash, workspace: &Workspace, asked: &Asked, weakening: &Weakening) -> Result<()> {
    say(&format!("weakened: {}: {}", weakening.name, weakening.what));
    let copy = clone::fresh(workspace, "weakened-tree")?;
    weakening.apply(&copy)?;
    let only = asked.only.as_deref().unwrap_or(weakening.scenarios);
    let command = || -> Result<Command> {
        let mut command = asked.command(&copy, Some(only))?;
        command.env("CARGO_TARGET_DIR", workspace.target.join("xtask/weakened"));
        Ok(command)
    };
    leash.lines(command()?.arg("--no-run"), BUILD, say)?;
    let (mut played, wanted) = (command()?, format!("violation of {} ", weakening.invariant));
    say(&format!("$ {}", spelled(&played)));
    let mut found = 0;
    let outcome = leash.lines(&mut played, asked.limit(), |line| {
        say(line);
        found += usize::from(line.contains(&wanted));
    });
    if let Some(why) = leash.ended() {
        return Err(format!("{}: {why}", weakening.name));
    }
    verdict(weakening, outcome.is_err(), found)
}

fn verdict(weakening: &Weakening, failed: bool, found: usize) -> Result<()> {
    let Weakening { name, invariant, .. } = weakening;
    match (failed, found) {
        (true, 1..) => {
            println!("weakened: {name} was caught: {invariant}");
            Ok(())
        }
        (true, _) => Err(format!("{name}: the scenarios failed, but none by a violation of {invariant}")),
        (false, _) => Err(format!("{name} was not caught: every scenario passed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Asked> {
        Asked::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_words_become_the_environment_of_the_scenarios() {
        let asked = parse("--backend etcd --seed 7 --only F7,F9").unwrap();
        let command = asked.command(Path::new("."), asked.only.as_deref()).unwrap();
        let value =
            |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(value("RECEPTION_FAULTS_SEED").unwrap(), "7");
        assert_eq!(value("RECEPTION_FAULTS_ONLY").unwrap(), "F7,F9");
        assert_eq!(value("RECEPTION_FAULTS_ALL"), None);
    }

    #[test]
    fn wrong_words_are_answered_with_the_usage() {
        for line in
            ["", "--backend", "--backend etcd --loud", "--backend etcd --seed x", "--backend etcd --only Fx"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn scenarios_are_numbers_with_or_without_their_letter() {
        for text in ["F7", "f7,F9", "7, 9"] {
            assert_eq!(scenarios(text.to_owned()), Ok(text.to_owned()));
        }
        for text in ["", "F", "F7,", "F7 F9", "F300", "receipt"] {
            assert!(scenarios(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_backend_without_a_stand_is_refused_with_those_that_have_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let workspace = Workspace::load(&root).unwrap();
        for name in ["etcd", "local"] {
            assert_eq!(staged(&workspace, name), Ok(()));
        }
        for name in ["memory", "plan", "ectd", "../etcd"] {
            let wrong = staged(&workspace, name).unwrap_err();
            assert!(wrong.contains("etcd"), "{wrong}");
        }
    }

    #[test]
    fn a_weakening_is_played_on_its_own_backend() {
        assert!(parse("--backend local --weakened unlinked").unwrap().weakening().is_ok());
        let weakening = parse("--backend zookeeper --weakened deaf").unwrap().weakening();
        assert_eq!(weakening.unwrap().unwrap().backend, "zookeeper");
        let wrong = parse("--backend etcd --weakened unlinked").unwrap().weakening().err().unwrap();
        assert!(wrong.contains("--backend local"), "{wrong}");
    }

    #[test]
    fn a_weakening_is_caught_only_by_the_violation_that_it_must_cause() {
        let weakening = Weakening::named("deaf", "etcd").unwrap();
        assert!(verdict(weakening, true, 1).is_ok());
        assert!(verdict(weakening, true, 0).is_err());
        assert!(verdict(weakening, false, 1).is_err());
    }
}
