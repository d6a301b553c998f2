//! The docker daemon: the one that answers, or a private one that ends with the run.
//!
//! The private one lives in namespaces of its own for processes and mounts. Killing its first process ends the
//! daemon, its containerd and every container at once and takes every mount along, however the run ends; and
//! what it keeps under `/run` and `/etc` is hidden behind empty folders, so that neither a containerd nor a
//! `daemon.json` of this machine has a say. It shares the network, since its ports are published here; but it
//! touches neither the packet filter nor the forwarding of this machine, so a published port is served by
//! docker's own proxy process, and containers reach nobody outside.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{room::Room, tools};
use crate::{
    Result, apt,
    leash::{Leash, say},
    run::end_inner,
    workspace::read,
};

const BRIEF: Duration = Duration::from_secs(20);
const START: Duration = Duration::from_secs(60);

/// Dies with the process that started it, even a killed one.
const TIED: &[&str] = &["setpriv", "--pdeathsig=KILL"];
/// In namespaces of its own, which end with it.
const APART: &[&str] = &["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
const HIDING: &str = r#"
    for folder in /run/containerd /run/docker /etc/docker; do
        mkdir -p "$folder" && mount -t tmpfs private "$folder" || exit
    done
    exec "$@"
"#;
const FLAGS: &[&str] =
    &["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--log-level=warn"];

/// A command that ends with this process and leaves no mount.
pub(crate) fn tied(program: &str) -> Command {
    let mut words = [TIED, APART].concat();
    words.push(program);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// A daemon and the way to it.
pub(crate) struct Daemon {
    /// The private one, and the address of its socket.
    own: Option<(Child, String)>,
}

impl Daemon {
    /// Takes the daemon that answers, or starts a private one.
    pub(crate) fn ready(leash: &Leash, room: &Room) -> Result<Self> {
        let theirs = Self { own: None };
        match theirs.version(leash) {
            Ok(version) => {
                say(&format!("containers: docker {version} runs already"));
                return Ok(theirs);
            }
            Err(wrong) if named() => {
                return Err(format!("DOCKER_HOST names a daemon that does not answer: {wrong}"));
            }
            Err(_) if !apt::is_root() => {
                return Err(
                    "no docker daemon answers, and only root can start a private one: start docker, \
                            or run this as root"
                        .to_owned(),
                );
            }
            Err(_) => {}
        }
        tools::daemon(leash)?;
        let own = start(room)?;
        leash.until("the start of the docker daemon", START, || own.alive(leash, room))?;
        say(&format!("containers: started a private docker {}", own.version(leash)?));
        Ok(own)
    }

    /// Whether it is somebody else's, who may have use for what is left there.
    pub(crate) fn is_theirs(&self) -> bool {
        self.own.is_none()
    }

    /// The docker client, pointed at this daemon.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments);
        self.point(&mut command);
        command
    }

    /// Points a command that calls docker at this daemon.
    pub(crate) fn point(&self, command: &mut Command) {
        if let Some((_, host)) = &self.own {
            for other in ["DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
                command.env_remove(other);
            }
            command.env("DOCKER_HOST", host);
        }
    }

    fn version(&self, leash: &Leash) -> Result<String> {
        let mut command = self.docker(&["version", "--format", "{{.Server.Version}}"]);
        leash.answer(&mut command, BRIEF).map(|version| version.trim().to_owned())
    }

    /// The version, an early end, or that it is not there yet.
    fn alive(&self, leash: &Leash, room: &Room) -> Result<()> {
        self.version(leash).map(drop).map_err(|wrong| {
            let log = read(&log(room)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            format!("{wrong}\n{}", lines[lines.len().saturating_sub(10)..].join("\n"))
        })
    }

    /// Ends a private daemon with all that runs in it.
    pub(crate) fn stop(&mut self) {
        if let Some((child, _)) = self.own.take() {
            end_inner(child, BRIEF);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether the caller chose a daemon.
fn named() -> bool {
    std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty())
}

fn log(room: &Room) -> PathBuf {
    room.folder().join("dockerd.log")
}

fn start(room: &Room) -> Result<Daemon> {
    let sockets = room.sockets();
    fs::create_dir_all(&sockets).map_err(|e| format!("{}: {e}", sockets.display()))?;
    let host = format!("unix://{}/docker.sock", sockets.display());
    let log = fs::File::create(log(room)).map_err(|e| e.to_string())?;
    let mut command = tied("sh");
    command.args(["-c", HIDING, "sh", "dockerd"]).args(FLAGS).args(["--host", &host]);
    for (flag, folder) in [
        ("--data-root", room.folder().join("docker")),
        ("--exec-root", sockets.join("exec")),
        ("--pidfile", sockets.join("pid")),
    ] {
        command.arg(flag).arg(folder);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(|e| e.to_string())?).stderr(log);
    let child = command.spawn().map_err(|e| format!("setpriv: {e}"))?;
    Ok(Daemon { own: Some((child, host)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_for_the_private_daemon_reaches_no_other() {
        let child = Command::new("true").spawn().unwrap();
        let daemon = Daemon { own: Some((child, "unix:///run/x/docker.sock".to_owned())) };
        let command = daemon.docker(&["ps"]);
        let set: Vec<_> = command.get_envs().collect();
        assert!(set.contains(&("DOCKER_HOST".as_ref(), Some("unix:///run/x/docker.sock".as_ref()))));
        assert!(set.contains(&("DOCKER_CONTEXT".as_ref(), None)));
        assert_eq!(Daemon { own: None }.docker(&["ps"]).get_envs().count(), 0);
    }

    #[test]
    fn a_private_daemon_leaves_the_network_of_this_machine_alone() {
        for flag in ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"] {
            assert!(FLAGS.contains(&flag));
        }
        let tied = tied("dockerd");
        assert_eq!(tied.get_program(), "setpriv");
        assert_eq!(tied.get_args().last().unwrap(), "dockerd");
    }
}
