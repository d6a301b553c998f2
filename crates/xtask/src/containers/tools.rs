//! The programs that containers need: found, or installed where this machine lets us.

use std::{process::Command, time::Duration};

use crate::{
    Result, apt,
    leash::{Leash, say},
    run::{minutes, spelled},
};

/// A program that only answers is given this long.
const BRIEF: Duration = Duration::from_secs(30);
const INSTALL: Duration = minutes(3);

/// Packages of Debian and its derivatives, the first set that there is.
struct Need {
    name: &'static str,
    sets: &'static [&'static [&'static str]],
    services: &'static [&'static str],
}

const CLIENT: Need = Need { name: "docker", sets: &[&["docker-cli"], &["docker.io"]], services: DOCKER };
const DAEMON: Need = Need { name: "dockerd", sets: &[&["docker.io"]], services: DOCKER };
const COMPOSE: Need = Need {
    name: "docker compose",
    sets: &[&["docker-compose-v2"], &["docker-compose-plugin"], &["docker-compose"]],
    services: &[],
};
const DEBOOTSTRAP: Need = Need { name: "debootstrap", sets: &[&["debootstrap"]], services: &[] };
const DOCKER: &[&str] = &["docker.socket", "docker.service", "containerd.service"];

/// Finds or installs the docker client and compose; answers the words that call compose.
pub(crate) fn compose(leash: &Leash) -> Result<Vec<String>> {
    ready(leash, &CLIENT, || apt::on_path("docker"))?;
    ready(leash, &COMPOSE, || {
        let ways = [vec!["docker", "compose"], vec!["docker-compose"]];
        first(&ways, |words| {
            let mut command = Command::new(words[0]);
            leash.answer(command.args(&words[1..]).arg("version"), BRIEF).is_ok()
        })
    })
}

/// Finds or installs the docker daemon.
pub(crate) fn daemon(leash: &Leash) -> Result<()> {
    ready(leash, &DAEMON, || apt::on_path("dockerd")).map(drop)
}

/// Finds or installs debootstrap.
pub(crate) fn debootstrap(leash: &Leash) -> Result<()> {
    ready(leash, &DEBOOTSTRAP, || apt::on_path("debootstrap")).map(drop)
}

/// The first way that works.
fn first(ways: &[Vec<&str>], works: impl Fn(&[&str]) -> bool) -> Option<Vec<String>> {
    let way = ways.iter().find(|words| works(words))?;
    Some(way.iter().map(|&word| word.to_owned()).collect())
}

fn ready<T>(leash: &Leash, need: &Need, find: impl Fn() -> Option<T>) -> Result<T> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if !apt::may_install() {
        return Err(advice(need));
    }
    say(&format!("containers: not found: {}; installing", need.name));
    let runner = |command: &mut Command| {
        leash.quiet(command, INSTALL).map_err(|wrong| format!("{}: {wrong}", spelled(command)))
    };
    apt::install("containers", need.sets, need.services, &runner)
        .map_err(|wrong| format!("{wrong}\n{}", advice(need)))?;
    find().ok_or_else(|| format!("installed, but still not found: {}\n{}", need.name, advice(need)))
}

fn advice(need: &Need) -> String {
    let packages: Vec<String> = need.sets.iter().map(|set| format!("`{}`", set.join(" "))).collect();
    format!(
        "install {} (Debian, Ubuntu: one of the packages {}), or start a docker daemon with compose",
        need.name,
        packages.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_way_that_works_is_taken() {
        let ways = [vec!["docker", "compose"], vec!["docker-compose"]];
        assert_eq!(first(&ways, |_| true).unwrap(), ["docker", "compose"]);
        assert_eq!(first(&ways, |words| words.len() == 1).unwrap(), ["docker-compose"]);
        assert_eq!(first(&ways, |_| false), None);
    }

    #[test]
    fn advice_names_the_program_and_its_packages() {
        for need in [&CLIENT, &DAEMON, &COMPOSE, &DEBOOTSTRAP] {
            let advice = advice(need);
            assert!(advice.contains(need.name) && advice.contains(need.sets[0][0]), "{advice}");
        }
    }
}
