//! The services of `docker-compose.yml` as one project with a name of its own.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{self, Command},
    time::Duration,
};

use super::{daemon::Daemon, proof::Service};
use crate::{
    Result,
    leash::{Leash, say},
    run::minutes,
};

pub(crate) const FILE: &str = "docker-compose.yml";

const BRIEF: Duration = Duration::from_secs(30);
const HEALTHY: Duration = minutes(1);
/// Below the ports from which systems serve outgoing connections, so that a restarted container gets its own again.
const PORTS: std::ops::Range<u16> = 30_000..32_000;

/// One project: containers, networks and volumes that carry its name, and nothing else.
pub(crate) struct Project {
    /// The words that call compose.
    pub(crate) compose: Vec<String>,
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    /// What the file's variables are set to.
    pub(crate) variables: Vec<(String, String)>,
}

/// A service that is up.
pub(crate) struct Up {
    pub(crate) container: String,
    pub(crate) port: u16,
}

impl Project {
    fn command(&self, daemon: &Daemon, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.compose[0]);
        command.args(&self.compose[1..]).args(["--project-name", &self.name, "--file", FILE]);
        command.args(arguments).current_dir(&self.root).envs(self.variables.iter().cloned());
        daemon.point(&mut command);
        command
    }

    /// Starts one service on a free port of loopback and waits until it is healthy.
    pub(crate) fn up(&mut self, leash: &Leash, daemon: &Daemon, service: &'static Service) -> Result<Up> {
        let port = free_port().ok_or("no free port on loopback")?;
        self.variables.push((service.port_variable(), port.to_string()));
        leash.quiet(&mut self.command(daemon, &["up", "--detach", service.name]), HEALTHY)?;
        let id = leash.answer(&mut self.command(daemon, &["ps", "--quiet", service.name]), BRIEF)?;
        let container = id.trim().to_owned();
        let healthy = leash.until(&format!("the health of {}", service.name), HEALTHY, || {
            let format = "{{.State.Status}} {{.State.Health.Status}}";
            let said =
                leash.answer(&mut daemon.docker(&["inspect", "--format", format, &container]), BRIEF)?;
            if said.trim() == "running healthy" { Ok(()) } else { Err(format!("it is {}", said.trim())) }
        });
        healthy.map_err(|wrong| format!("{wrong}\n{}", self.logs(leash, daemon)))?;
        let mut version = daemon.docker(&["exec", &container]);
        let version = leash.answer(version.args(service.version), BRIEF)?;
        say(&format!("containers: {} on 127.0.0.1:{port}", version.lines().next().unwrap_or(service.name)));
        Ok(Up { container, port })
    }

    fn logs(&self, leash: &Leash, daemon: &Daemon) -> String {
        leash
            .answer(&mut self.command(daemon, &["logs", "--tail", "20"]), BRIEF)
            .unwrap_or_else(|wrong| wrong)
    }

    /// Takes down what the project has, and the containers that a test made after its own.
    pub(crate) fn down(&self, leash: &Leash, daemon: &Daemon, ups: &[Up]) -> Result<()> {
        for up in ups {
            let like = format!("label=reception.like={}", up.container);
            let more =
                leash.answer(&mut daemon.docker(&["ps", "--all", "--quiet", "--filter", &like]), BRIEF)?;
            let more: Vec<&str> = more.split_whitespace().collect();
            if !more.is_empty() {
                let mut remove = daemon.docker(&["rm", "--force", "--volumes"]);
                leash.quiet(remove.args(more), BRIEF)?;
            }
        }
        let all = ["down", "--volumes", "--remove-orphans", "--timeout", "2"];
        leash.quiet(&mut self.command(daemon, &all), HEALTHY)
    }
}

/// A port of loopback that nobody listens on.
fn free_port() -> Option<u16> {
    // Runs that start together begin at different places.
    let count = PORTS.end - PORTS.start;
    let begin = (process::id() % u32::from(count)) as u16;
    (0..count)
        .map(|step| PORTS.start + (begin + step) % count)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

/// The image that the file names for a service unless its variable says another.
pub(crate) fn public_image<'a>(file: &'a str, variable: &str) -> Option<&'a str> {
    let begin = format!("image: ${{{variable}:-");
    let rest = file.lines().find_map(|line| line.trim().strip_prefix(&begin))?;
    rest.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::{super::proof::SERVICES, *};

    const TEXT: &str = include_str!("../../../../docker-compose.yml");

    /// The lines of a list of this name, of every service.
    fn items(list: &str) -> Vec<&'static str> {
        let mut lines = TEXT.lines().map(str::trim);
        let mut items = Vec::new();
        while let Some(line) = lines.next() {
            if line == list {
                items.extend(lines.clone().map_while(|line| line.strip_prefix("- ")));
            }
        }
        items
    }

    #[test]
    fn every_port_is_published_on_loopback_alone_and_can_be_moved() {
        let ports = items("ports:");
        assert_eq!(ports.len(), SERVICES.len());
        for (port, service) in ports.iter().zip(SERVICES) {
            let begin = format!("\"127.0.0.1:${{{}:-", service.port_variable());
            let numbers = port.strip_prefix(&begin).unwrap().strip_suffix('"').unwrap();
            let (outside, inside) = numbers.split_once("}:").unwrap();
            assert_eq!(outside.parse::<u16>().unwrap(), inside.parse::<u16>().unwrap());
        }
        assert!(!TEXT.contains("network_mode"), "a container has no network of this machine");
    }

    #[test]
    fn every_service_is_proved_has_a_public_image_and_a_health_check() {
        let services: Vec<&str> = TEXT
            .lines()
            .skip_while(|line| *line != "services:")
            .filter_map(|line| {
                line.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with(' '))
            })
            .collect();
        assert_eq!(services, SERVICES.iter().map(|service| service.name).collect::<Vec<_>>());
        for service in SERVICES {
            let image = public_image(TEXT, &service.image_variable()).unwrap();
            assert!(image.contains(':') && image.contains('/'), "{image}");
        }
        let checks = TEXT.lines().filter(|line| line.trim() == "healthcheck:").count();
        assert_eq!(checks, SERVICES.len());
        assert!(!TEXT.contains("volumes:"), "data end with the container");
    }

    #[test]
    fn a_free_port_can_be_listened_on() {
        let port = free_port().unwrap();
        assert!(PORTS.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
