//! A container like a given one, for a test that needs a server of its own.

use std::{
    net::SocketAddr,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use tokio::{task::spawn_blocking, time::timeout};

use crate::{Error, Port, Result, free_port};

const BOUND: Duration = Duration::from_secs(30);
/// Image, first network, then entrypoint, command and environment, each after a line that ends the one before.
const ABOUT: &str = "{{.Config.Image}}\n{{range $name, $network := .NetworkSettings.Networks}}{{println $name}}{{end}}\
    --\n{{range .Config.Entrypoint}}{{println .}}{{end}}--\n{{range .Config.Cmd}}{{println .}}{{end}}\
    --\n{{range .Config.Env}}{{println .}}{{end}}";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A docker container of its own: killed and removed when dropped.
///
/// It has the image, command, environment and network of a container that runs already, and its port is published on
/// a reserved port of loopback. The docker client is found on `PATH`, the daemon as docker finds it. Each carries the
/// label `reception.like` with the given container's name, by which somebody can remove what a killed test process
/// has left.
#[derive(Debug)]
pub struct Container {
    name: String,
    port: Port,
    removed: AtomicBool,
}

impl Container {
    /// Starts a container like `given`, whose server listens on port `inside`; says nothing about readiness.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when docker refuses, [`Error::Io`] without docker, [`Error::Timeout`], [`Error::NoPort`].
    ///
    /// # Cancel safety
    ///
    /// A dropped future may leave a container, which carries the label.
    pub async fn like(given: &str, inside: u16) -> Result<Self> {
        let about = docker(["inspect", "--format", ABOUT, given].map(str::to_owned).to_vec()).await?;
        let like = Like::parse(&about).ok_or_else(|| Error::unexpected("docker tells too little"))?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("reception-lab-{}-{number}", process::id());
        let container = Self { name, port: free_port()?, removed: AtomicBool::new(false) };
        docker(like.run(given, &container.name, container.port.number(), inside)).await?;
        Ok(container)
    }

    /// Where the server is reached.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.port.address()
    }

    /// Kills the server (SIGKILL) and starts it again with its data; says nothing about readiness.
    ///
    /// # Errors
    ///
    /// As [`like`](Self::like).
    ///
    /// # Cancel safety
    ///
    /// The server is up or down; call it again to know.
    pub async fn restart(&self) -> Result<()> {
        self.docker("kill").await?;
        self.docker("start").await
    }

    /// Freezes the server: its connections stay open and silent.
    ///
    /// # Errors
    ///
    /// As [`like`](Self::like).
    ///
    /// # Cancel safety
    ///
    /// It may or may not have been frozen.
    pub async fn pause(&self) -> Result<()> {
        self.docker("pause").await
    }

    /// Thaws a frozen server.
    ///
    /// # Errors
    ///
    /// As [`like`](Self::like).
    ///
    /// # Cancel safety
    ///
    /// It may or may not have been thawed.
    pub async fn resume(&self) -> Result<()> {
        self.docker("unpause").await
    }

    /// Kills the server and removes its container; dropping does the same, and waits for it.
    ///
    /// # Errors
    ///
    /// As [`like`](Self::like).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping removes it.
    pub async fn remove(&self) -> Result<()> {
        docker(removal(&self.name)).await?;
        self.removed.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn docker(&self, verb: &str) -> Result<()> {
        docker(vec![verb.to_owned(), self.name.clone()]).await.map(drop)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if !*self.removed.get_mut() {
            drop(Command::new("docker").args(removal(&self.name)).stdin(Stdio::null()).output());
        }
    }
}

fn removal(name: &str) -> Vec<String> {
    ["rm", "--force", "--volumes", name].map(str::to_owned).to_vec()
}

/// What a container is made of.
#[derive(Debug, PartialEq, Eq)]
struct Like {
    image: String,
    network: String,
    command: Vec<String>,
    envs: Vec<String>,
}

impl Like {
    fn parse(about: &str) -> Option<Self> {
        let mut parts = about.trim_end().split("--\n");
        let mut head = parts.next()?.lines().map(str::to_owned);
        let mut list = || Some(parts.next()?.lines().map(str::to_owned).collect::<Vec<_>>());
        let (image, network) = (head.next()?, head.next()?);
        let command = [list()?, list()?].concat();
        Some(Self { image, network, command, envs: list()? }).filter(|like| !like.command.is_empty())
    }

    fn run(self, given: &str, name: &str, port: u16, inside: u16) -> Vec<String> {
        let mut words = ["run", "--detach", "--name", name].map(str::to_owned).to_vec();
        words.push(format!("--label=reception.like={given}"));
        words.push(format!("--network={}", self.network));
        words.push(format!("--publish=127.0.0.1:{port}:{inside}"));
        words.extend(self.envs.iter().map(|env| format!("--env={env}")));
        let (program, arguments) = self.command.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
        words.push(format!("--entrypoint={program}"));
        words.push(self.image.clone());
        words.extend(arguments.iter().cloned());
        words
    }
}

/// Runs the docker client and hands back what it said.
async fn docker(words: Vec<String>) -> Result<String> {
    let command = format!("docker {}", words.first().map_or("", String::as_str));
    let run = spawn_blocking(move || Command::new("docker").args(words).stdin(Stdio::null()).output());
    let Ok(done) = timeout(BOUND, run).await else {
        return Err(Error::timeout(command, BOUND, ""));
    };
    let done = done.map_err(std::io::Error::other).and_then(|done| done);
    let done = done.map_err(Error::io(format!("run {command}")))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&done.stderr).trim_end().to_owned();
    Err(Error::Failed { command, status: done.status.to_string(), stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str =
        "an/etcd:3\nof_default\nother\n--\netcd\n--\n--name=etcd\n--data-dir=/d\n--\nA=1 2\nB=\n";

    #[test]
    fn a_container_is_started_as_the_given_one_was_and_on_loopback_alone() {
        let words = Like::parse(TOLD).unwrap().run("given", "mine", 15_001, 2379);
        let options = [
            "run",
            "--detach",
            "--name",
            "mine",
            "--label=reception.like=given",
            "--network=of_default",
            "--publish=127.0.0.1:15001:2379",
            "--env=A=1 2",
            "--env=B=",
            "--entrypoint=etcd",
        ];
        assert_eq!(words, [&options[..], &["an/etcd:3", "--name=etcd", "--data-dir=/d"]].concat());
    }

    #[test]
    fn a_container_that_tells_too_little_is_not_copied() {
        assert_eq!(Like::parse(""), None);
        assert_eq!(Like::parse("image\n--\n--\n--\n"), None);
        let no_entrypoint = Like::parse("image\nnet\n--\n--\nserve\n--\n").unwrap();
        assert_eq!(no_entrypoint.command, ["serve"]);
    }
}
