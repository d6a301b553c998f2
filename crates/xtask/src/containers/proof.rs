//! The matrix of the laws, played against a service that is up.

use std::{collections::BTreeSet, env, path::PathBuf, process::Command, time::Duration};

use serde_json::Value;

use super::{compose::Up, daemon::Daemon};
use crate::{
    Result, exhibitor,
    leash::{Leash, say},
    protoc,
    run::{minutes, spelled},
    servers,
    unpack::Package,
    workspace::{Workspace, cargo},
};

const BUILD: Duration = minutes(30);
const PLAY: Duration = minutes(5);
const BRIEF: Duration = Duration::from_secs(30);

/// An image that nobody publishes.
pub(crate) struct Made {
    /// The folder that it is built from.
    pub(crate) folder: &'static str,
    /// Brings what a stand-in carries besides its packages.
    pub(crate) carried: fn() -> Result<PathBuf>,
    /// Where a stand-in has it.
    pub(crate) inside: &'static str,
}

/// A service of `docker-compose.yml` and the backend that is proved on it.
pub(crate) struct Service {
    /// Its name in the file, and the backend's.
    pub(crate) name: &'static str,
    /// The scheme of its URLs.
    scheme: &'static str,
    /// What a stand-in is made of.
    pub(crate) packages: &'static [&'static str],
    /// The program that a stand-in gets besides, where the release here has none.
    pub(crate) unpacked: Option<&'static Package>,
    /// How its image is made where none is published.
    pub(crate) made: Option<Made>,
    /// The command that tells its version.
    pub(crate) version: &'static [&'static str],
    /// The cases that cannot be shown there, each with its reason in the fixture.
    unproven: &'static [&'static str],
}

pub(crate) const SERVICES: &[Service] = &[
    Service {
        name: "consul",
        scheme: "consul",
        // Any that every system has.
        packages: &["base-files"],
        unpacked: Some(&servers::CONSUL),
        made: None,
        version: &["consul", "version"],
        unproven: &["l09::candidates_stand_in_the_order_of_their_coming"],
    },
    Service {
        name: "etcd",
        scheme: "etcd",
        packages: &["etcd-server", "etcd-client"],
        unpacked: None,
        made: None,
        version: &["etcd", "--version"],
        unproven: &[],
    },
    Service {
        name: "zookeeper",
        scheme: "zk",
        packages: &["libzookeeper-java", "libslf4j-java", "default-jre-headless"],
        unpacked: None,
        made: None,
        version: &["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/2181 && printf srvr >&3 && cat <&3"],
        unproven: &[],
    },
    Service {
        name: "exhibitor",
        scheme: "exhibitor",
        packages: &["default-jre-headless"],
        unpacked: None,
        made: Some(Made {
            folder: concat!(env!("CARGO_MANIFEST_DIR"), "/../../docker/exhibitor"),
            carried: exhibitor::provide,
            inside: "opt/exhibitor",
        }),
        version: &["bash", "-c", "ls /opt/exhibitor/lib | grep exhibitor-standalone"],
        unproven: &[],
    },
];

impl Service {
    /// Names the image of the service in `docker-compose.yml`.
    pub(crate) fn image_variable(&self) -> String {
        format!("RECEPTION_{}_IMAGE", self.upper())
    }

    /// Names the port of the service in `docker-compose.yml`.
    pub(crate) fn port_variable(&self) -> String {
        format!("RECEPTION_{}_PORT", self.upper())
    }

    fn test_variable(&self, what: &str) -> String {
        format!("RECEPTION_TEST_{}_{what}", self.upper())
    }

    fn upper(&self) -> String {
        self.name.to_uppercase()
    }
}

/// The suite of one backend, built.
pub(crate) struct Suite {
    pub(crate) service: &'static Service,
    program: PathBuf,
    folder: PathBuf,
}

/// Names the services that are wanted, with commas, where not all are.
const WANTED: &str = "RECEPTION_TEST_CONTAINERS";

/// The services that are wanted.
fn wanted(named: Option<&str>) -> Result<Vec<&'static Service>> {
    let Some(named) = named.filter(|named| !named.is_empty()) else { return Ok(SERVICES.iter().collect()) };
    let found = named.split(',').map(|name| {
        SERVICES.iter().find(|service| service.name == name).ok_or_else(|| {
            let known: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
            format!("{WANTED} names {name:?}, which is none of {}", known.join(", "))
        })
    });
    found.collect()
}

/// Builds the suites with the features that `test` builds them with, so that neither builds for the other anew.
pub(crate) fn build(leash: &Leash, workspace: &Workspace) -> Result<Vec<Suite>> {
    let named = env::var_os(WANTED).map(|named| named.to_string_lossy().into_owned());
    let services = wanted(named.as_deref())?;
    let mut command = cargo();
    command.current_dir(&workspace.root).args([
        "test",
        "--workspace",
        "--all-features",
        "--test",
        "conformance",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    let mut built = Vec::new();
    leash.lines(protoc::provide(&mut command)?, BUILD, |line| built.extend(program(line)))?;
    let suite = |service: &'static Service| {
        let folder = workspace.root.join("crates/backends").join(service.name);
        let manifest = folder.join("Cargo.toml");
        let program = built.iter().find(|(of, _)| *of == manifest).map(|(_, program)| program.clone());
        let program = program.ok_or_else(|| format!("{}: no suite was built", manifest.display()))?;
        Ok(Suite { service, program, folder })
    };
    services.into_iter().map(suite).collect()
}

/// The manifest and the program of a suite, in a line of cargo's.
fn program(line: &str) -> Option<(PathBuf, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_suite = message["target"]["name"] == "conformance";
    let (manifest, program) = (message["manifest_path"].as_str()?, message["executable"].as_str()?);
    is_suite.then(|| (manifest.into(), program.into()))
}

/// Plays the matrix; `extra` are words for the suite, and then nobody says how many cases there shall be.
pub(crate) fn play(leash: &Leash, daemon: &Daemon, suite: &Suite, up: &Up, extra: &[String]) -> Result<()> {
    let service = suite.service;
    let mut command = Command::new(&suite.program);
    command
        .args(extra)
        .current_dir(&suite.folder)
        .env(service.test_variable("URL"), format!("{}://127.0.0.1:{}", service.scheme, up.port))
        .env(service.test_variable("CONTAINER"), &up.container)
        .env_remove("RECEPTION_TEST_ALLOW_MISSING");
    daemon.point(&mut command);
    let mut matrix = Vec::new();
    leash
        .lines(&mut command, PLAY, |line| {
            say(line);
            matrix.push(line.to_owned());
        })
        .map_err(|wrong| format!("laws on {}: {wrong}", service.name))?;
    if !extra.is_empty() {
        return Ok(());
    }
    let mut list = Command::new(&suite.program);
    let listed = leash.answer(list.arg("--list"), BRIEF)?;
    let cases = listed.lines().filter(|line| line.ends_with(": test")).count();
    verdict(&matrix, cases, service.unproven).map_err(|wrong| format!("{}: {wrong}", spelled(&command)))
}

/// Whether every case was proved, but for those that are known not to be.
fn verdict(matrix: &[String], cases: usize, unproven: &[&str]) -> Result<()> {
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let sums = matrix.iter().map(words).find(|words| words.first().is_some_and(|word| word == "all"));
    let numbers: Vec<usize> = sums.iter().flatten().skip(1).filter_map(|word| word.parse().ok()).collect();
    let wanted = [cases, cases.saturating_sub(unproven.len()), 0, unproven.len()];
    if cases == 0 || numbers != wanted {
        return Err(format!("cases, proved, failing, unproven are {numbers:?} and shall be {wanted:?}"));
    }
    let named = matrix.iter().filter_map(|line| line.strip_prefix("unproven  ")?.split(": ").next());
    let (named, known): (BTreeSet<&str>, BTreeSet<&str>) =
        (named.collect(), unproven.iter().copied().collect());
    if named == known { Ok(()) } else { Err(format!("unproven are {named:?} and shall be {known:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(sums: &str, more: &[&str]) -> Vec<String> {
        let mut lines =
            vec!["laws on etcd".to_owned(), format!("L1   title   {sums}"), format!("all          {sums}")];
        lines.extend(more.iter().map(|line| (*line).to_owned()));
        lines
    }

    #[test]
    fn a_matrix_with_every_case_proved_is_green() {
        assert_eq!(verdict(&matrix("116 116 0 0", &[]), 116, &[]), Ok(()));
    }

    #[test]
    fn a_case_that_is_missing_unproven_or_failing_is_not() {
        for sums in ["115 115 0 0", "116 115 0 1", "116 115 1 0", ""] {
            assert!(verdict(&matrix(sums, &[]), 116, &[]).is_err(), "{sums}");
        }
        assert!(verdict(&[], 116, &[]).is_err());
        assert!(verdict(&matrix("0 0 0 0", &[]), 0, &[]).is_err());
    }

    #[test]
    fn only_the_cases_that_are_known_may_be_unproven() {
        let known = ["l15::a_restart"];
        assert_eq!(verdict(&matrix("3 2 0 1", &["unproven  l15::a_restart: no hands"]), 3, &known), Ok(()));
        assert!(verdict(&matrix("3 2 0 1", &["unproven  l15::another: no hands"]), 3, &known).is_err());
        assert!(verdict(&matrix("3 3 0 0", &[]), 3, &known).is_err());
    }

    #[test]
    fn some_services_can_be_wanted_and_others_are_not_known() {
        let names = |named| wanted(named).map(|all| all.iter().map(|one| one.name).collect::<Vec<_>>());
        assert_eq!(names(None).map(|all| all.len()), Ok(SERVICES.len()));
        assert_eq!(names(Some("etcd,consul")), Ok(vec!["etcd", "consul"]));
        assert!(names(Some("nomad")).is_err_and(|wrong| wrong.contains("nomad") && wrong.contains("consul")));
    }

    #[test]
    fn the_program_of_a_suite_is_read_from_what_cargo_says() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{"name":"conformance"},"executable":"/t/c-1"}"#;
        assert_eq!(program(line), Some(("/p/Cargo.toml".into(), "/t/c-1".into())));
        assert_eq!(program(&line.replace("\"/t/c-1\"", "null")), None);
        assert_eq!(program("warning: unused"), None);
    }
}
