//! A container like a given one, for a test that needs a server of its own.

use std::{
    io::{self, Read},
    net::SocketAddr,
    process::{self, Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tokio::time::{sleep, timeout};

use crate::{Error, Port, Result, free_port};

const BOUND: Duration = Duration::from_secs(30);
/// From one look whether the client has ended to the next.
const STEP: Duration = Duration::from_millis(10);
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
    /// A dropped future ends the docker client and removes what it has made so far. A daemon that had taken the order and is slow may
    /// still make the container, which carries the label.
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

    /// Kills the server and removes its container; dropping does the same, and waits for it, 30 s at most.
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
            // Nobody to tell: the label says what was left.
            drop(Running::start(&removal(&self.name)).and_then(|mut run| run.wait(BOUND)));
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
        let mut parts = about.split("--\n");
        let mut head = parts.next()?.lines().map(str::to_owned);
        let mut list = || Some(parts.next()?.lines().map(str::to_owned).collect::<Vec<_>>());
        let (image, network) = (head.next()?, head.next()?);
        let command = [list()?, list()?].concat();
        // Docker ends what it tells with one more line end.
        let envs = list()?.into_iter().filter(|env| !env.is_empty()).collect();
        Some(Self { image, network, command, envs }).filter(|like| !like.command.is_empty())
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

/// A docker client that runs; killed when dropped.
struct Running(Child);

impl Running {
    fn start(words: &[String]) -> io::Result<Self> {
        Self::of(Command::new("docker").args(words))
    }

    fn of(command: &mut Command) -> io::Result<Self> {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        piped.spawn().map(Self)
    }

    /// Waits until it has ended. Dropping the future kills nothing.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        loop {
            match self.0.try_wait()? {
                Some(status) => return Ok(status),
                None => sleep(STEP).await,
            }
        }
    }

    /// Waits so long, in a place where nothing can be awaited; none when it goes on.
    fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let mut left = limit;
        loop {
            match self.0.try_wait()? {
                None if !left.is_zero() => thread::sleep(STEP),
                status => return Ok(status),
            }
            left = left.saturating_sub(STEP);
        }
    }

    /// What it has said, once it has ended: less than fits into a pipe.
    fn said(&mut self) -> io::Result<(String, String)> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.0.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut stdout))?;
        self.0.stderr.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut stderr))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&stdout), text(&stderr)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is not there to be killed; the wait takes it off the table of processes.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs the docker client and hands back what it said. Dropping the future kills the client.
async fn docker(words: Vec<String>) -> Result<String> {
    let command = format!("docker {}", words.first().map_or("", String::as_str));
    let failed = Error::io(format!("run {command}"));
    let run = async {
        let mut run = Running::start(&words)?;
        let status = run.ended().await?;
        Ok((status, run.said()?))
    };
    let Ok(done) = timeout(BOUND, run).await else {
        return Err(Error::timeout(command, BOUND, ""));
    };
    let (status, (stdout, stderr)) = done.map_err(failed)?;
    if status.success() {
        return Ok(stdout);
    }
    Err(Error::Failed { command, status: status.to_string(), stderr: stderr.trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str =
        "an/etcd:3\nof_default\nother\n--\netcd\n--\n--name=etcd\n--data-dir=/d\n--\nA=1 2\nB=\n\n";

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

    fn shell(script: &str) -> Running {
        Running::of(Command::new("sh").args(["-c", script])).unwrap()
    }

    fn runs(id: u32) -> bool {
        std::path::Path::new(&format!("/proc/{id}")).exists()
    }

    #[tokio::test]
    async fn a_client_that_is_waited_for_no_longer_is_killed() {
        let mut silent = shell("exec sleep 600");
        let id = silent.0.id();
        assert!(timeout(Duration::from_millis(50), silent.ended()).await.is_err());
        assert!(silent.wait(Duration::from_millis(50)).unwrap().is_none());
        assert!(runs(id));
        drop(silent);
        assert!(!runs(id));
    }

    #[tokio::test]
    async fn a_client_that_ends_tells_how_and_what_it_said() {
        let mut run = shell("echo out; echo err >&2; exit 3");
        assert_eq!(run.ended().await.unwrap().code(), Some(3));
        assert_eq!(run.wait(BOUND).unwrap().and_then(|status| status.code()), Some(3));
        assert_eq!(run.said().unwrap(), ("out\n".to_owned(), "err\n".to_owned()));
    }
}
