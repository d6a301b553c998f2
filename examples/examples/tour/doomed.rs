//! The instance that crashes: a process that is killed, or in memory a client that the fault handle ends the same way.

use std::process::Stdio;

use reception::{
    Client, ClientExt, DialUrl, Leadership, Registration,
    memory::{Cluster, MemoryClient, Options},
};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdin, Command},
};

use crate::{Outcome, Stage};

/// The argument by which the tour starts itself in this role.
pub(crate) const FLAG: &str = "--crash-test";

pub(crate) enum Doomed {
    /// A process of its own, on a store that processes share.
    Process { child: Child, _leash: Option<ChildStdin> },
    /// In memory a second process could not see the store.
    Simulated { cluster: Cluster, client: MemoryClient, role: Role },
}

/// What is held until the crash, and never given back.
pub(crate) struct Role {
    _registration: Registration,
    _leadership: Leadership,
}

impl Role {
    async fn take(stage: &Stage, client: &dyn Client) -> Outcome<Self> {
        let service = stage.instance("c", "10.0.0.3")?;
        let registration = client.register(service.clone()).await?;
        let leadership = client.elector(&stage.reaper).await?.elect(service).await?;
        Ok(Self { _registration: registration, _leadership: leadership })
    }
}

impl Doomed {
    pub(crate) async fn start(stage: &Stage) -> Outcome<Self> {
        let url: DialUrl = stage.url.parse()?;
        if url.scheme() == "memory" {
            let cluster = Cluster::named(&url.hosts().concat());
            let client = cluster.client(Options::from_url(&url)?)?;
            let role = Role::take(stage, &client).await?;
            return Ok(Self::Simulated { cluster, client, role });
        }
        let mut command = Command::new(std::env::current_exe()?);
        command.args([FLAG, &stage.url, &stage.tag]).stdin(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        // Waiting for a child closes its input, and that would end it: see `live_until_killed`.
        let leash = child.stdin.take();
        Ok(Self::Process { child, _leash: leash })
    }

    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Process { child, .. } => {
                format!("a process of its own, pid {}", child.id().unwrap_or_default())
            }
            Self::Simulated { .. } => "a client of its own".to_owned(),
        }
    }

    /// Fails at once when the process ends before its time, instead of waiting for sights that cannot come.
    pub(crate) async fn unless_it_ends(&mut self, sights: impl Future<Output = Outcome> + Send) -> Outcome {
        let Self::Process { child, .. } = self else { return sights.await };
        tokio::select! {
            outcome = sights => outcome,
            status = child.wait() => Err(format!("c ended before it was to crash: {}", status?).into()),
        }
    }

    /// Crashes it and says how. Nothing is withdrawn.
    pub(crate) async fn crash(self) -> Outcome<&'static str> {
        match self {
            Self::Process { mut child, .. } => {
                child.kill().await?;
                Ok("its process is killed")
            }
            Self::Simulated { cluster, client, role } => {
                cluster.faults().of(&client).crash().await;
                drop(role);
                Ok("by the fault handle, as a kill of its process would do")
            }
        }
    }
}

/// What the process does: it takes its role and waits for the kill, or for the end of the tour that started it.
pub(crate) async fn live_until_killed(stage: &Stage) -> Outcome {
    let client = stage.dial().await?;
    let _role = Role::take(stage, &*client).await?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
