//! A server of its own for a run: a process, or a container like one that was named.

use std::{future::Future, net::SocketAddr, ops::Deref, time::Duration};

use crate::{Container, Error, Etcd, Result, Server, ZooKeeper, eventually, four_letters, http_get};

const READY: Duration = Duration::from_secs(40);
/// For one look whether a server is well.
const LOOK: Duration = Duration::from_secs(2);

/// A kind of server that runs as a process or in a container.
pub trait Serves: Deref<Target = Server> + Send + Sync {
    /// Where it serves clients in its container.
    const INSIDE: u16;

    /// Where this one serves clients.
    fn address(&self) -> SocketAddr;

    /// Kills it if it runs, and starts it with the same data.
    fn again(&self) -> impl Future<Output = Result<()>> + Send;

    /// Whether one at that address is well.
    fn is_well(at: SocketAddr) -> impl Future<Output = bool> + Send;
}

impl Serves for Etcd {
    const INSIDE: u16 = 2379;

    fn address(&self) -> SocketAddr {
        self.endpoint()
    }

    fn again(&self) -> impl Future<Output = Result<()>> + Send {
        self.restart()
    }

    async fn is_well(at: SocketAddr) -> bool {
        http_get(at, "/health", LOOK).await.is_ok_and(|answer| answer.body.contains("true"))
    }
}

impl Serves for ZooKeeper {
    const INSIDE: u16 = 2181;

    fn address(&self) -> SocketAddr {
        self.endpoint()
    }

    fn again(&self) -> impl Future<Output = Result<()>> + Send {
        self.restart()
    }

    async fn is_well(at: SocketAddr) -> bool {
        four_letters(at, "srvr", LOOK).await.is_ok_and(|told| told.starts_with("Zookeeper version"))
    }
}

/// A server that this run may restart and pause, wherever it runs.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third place")]
pub enum Hosted<S> {
    /// A process of ours.
    Process(Box<S>),
    /// A container like the one that was named.
    Container(Container),
}

impl<S: Serves> Hosted<S> {
    /// Takes a server that runs as a process.
    #[must_use]
    pub fn process(server: S) -> Self {
        Self::Process(Box::new(server))
    }

    /// Starts a container like the one of that name, and waits until its server is well.
    ///
    /// # Errors
    ///
    /// As [`Container::like`], and [`Error::Unexpected`] when the server is not well within 40 s.
    ///
    /// # Cancel safety
    ///
    /// As [`Container::like`].
    pub async fn container(like: &str) -> Result<Self> {
        let container = Container::like(like, S::INSIDE).await?;
        Self::well(&container).await?;
        Ok(Self::Container(container))
    }

    /// Where clients reach it.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        match self {
            Self::Process(server) => server.address(),
            Self::Container(container) => container.endpoint(),
        }
    }

    /// Kills the server if it runs, starts it with its data and waits until it is well.
    ///
    /// # Errors
    ///
    /// As starting it.
    ///
    /// # Cancel safety
    ///
    /// The server is up or down; call it again to know.
    pub async fn restart(&self) -> Result<()> {
        match self {
            Self::Process(server) => server.again().await,
            Self::Container(container) => {
                container.restart().await?;
                Self::well(container).await
            }
        }
    }

    /// Ends the server.
    ///
    /// # Errors
    ///
    /// None: what is left of a container is tried once more when it is dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping ends it.
    pub async fn stop(&self) {
        match self {
            Self::Process(server) => server.kill(),
            Self::Container(container) => drop(container.remove().await),
        }
    }

    /// Freezes the server: its connections stay open and silent.
    ///
    /// # Errors
    ///
    /// As [`Server::pause`] and [`Container::pause`].
    ///
    /// # Cancel safety
    ///
    /// It may or may not have been frozen.
    pub async fn pause(&self) -> Result<()> {
        match self {
            Self::Process(server) => server.pause(),
            Self::Container(container) => container.pause().await,
        }
    }

    /// Thaws a frozen server.
    ///
    /// # Errors
    ///
    /// As [`Server::resume`] and [`Container::resume`].
    ///
    /// # Cancel safety
    ///
    /// It may or may not have been thawed.
    pub async fn resume(&self) -> Result<()> {
        match self {
            Self::Process(server) => server.resume(),
            Self::Container(container) => container.resume().await,
        }
    }

    async fn well(container: &Container) -> Result<()> {
        let at = container.endpoint();
        let well = eventually(READY, || async { S::is_well(at).await.then_some(()).ok_or(()) });
        well.await.map_err(|late| Error::Unexpected {
            what: format!("the server in a container is not well: {late}"),
        })
    }
}
