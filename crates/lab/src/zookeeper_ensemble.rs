//! Several ZooKeeper servers that are one store.

use std::{fs, net::SocketAddr, time::Duration};

use tokio::time::Instant;

use crate::{
    Error, Port, Result, Server, four_letters, free_port,
    process::poll_until,
    program,
    zookeeper::{classes, machine},
};

const READY: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 5;
const MAIN: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";

/// An ensemble of ZooKeeper servers on 127.0.0.1, 127.0.0.2 and so on, with one port for all; killed, reaped and deleted when dropped.
///
/// Members are counted from 0. One tick is 500 ms, as with [`ZooKeeper`](crate::ZooKeeper).
///
/// ```no_run
/// # async fn run() -> reception_lab::Result<()> {
/// let ensemble = reception_lab::ZooKeeperEnsemble::start(3).await?;
/// ensemble.member(2).kill();
/// ensemble.restart(2).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ZooKeeperEnsemble {
    members: Vec<Server>,
    client: Port,
    quorum: Port,
    election: Port,
}

impl ZooKeeperEnsemble {
    /// Starts this many servers and waits until all serve.
    ///
    /// # Errors
    ///
    /// As [`ZooKeeper::start_with`](crate::ZooKeeper::start_with), with a minute to start in.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the servers are killed.
    pub async fn start(count: u8) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let ensemble = Self::prepare(count)?;
            match ensemble.go().await {
                Err(Error::Exited { logs, .. })
                    if logs.contains("Address already in use") && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                done => return done.map(|()| ensemble),
            }
        }
    }

    fn prepare(count: u8) -> Result<Self> {
        let java = program::find("java", "JAVA_BIN")?;
        let classes = classes()?;
        let (client, quorum, election) = (free_port()?, free_port()?, free_port()?);
        let prepare = |_| {
            Server::prepare(java.clone(), "ZOO", |data| {
                let mut arguments = machine("128m");
                arguments.extend(["-cp".to_owned(), classes.clone(), MAIN.to_owned()]);
                arguments.push(data.with_file_name("zoo.cfg").display().to_string());
                arguments
            })
        };
        let members = (0..count).map(prepare).collect::<Result<Vec<_>>>()?;
        let ensemble = Self { members, client, quorum, election };
        for at in 0..ensemble.members.len() {
            ensemble.configure(at)?;
        }
        Ok(ensemble)
    }

    fn configure(&self, at: usize) -> Result<()> {
        let data = self.members[at].data();
        let mut lines = vec![
            "tickTime=500".to_owned(),
            "initLimit=20".to_owned(),
            "syncLimit=10".to_owned(),
            "maxSessionTimeout=60000".to_owned(),
            format!("dataDir={}", data.display()),
            format!("clientPort={}", self.client.number()),
            format!("clientPortAddress={}", self.host(at)),
            "admin.enableServer=false".to_owned(),
            "4lw.commands.whitelist=*".to_owned(),
            "maxClientCnxns=0".to_owned(),
            "forceSync=no".to_owned(),
            "preAllocSize=1024".to_owned(),
        ];
        lines.extend((0..self.members.len()).map(|of| {
            let (quorum, election) = (self.quorum.number(), self.election.number());
            format!("server.{}={}:{quorum}:{election}", of + 1, self.host(of))
        }));
        fs::create_dir_all(&data).map_err(Error::io(format!("create {}", data.display())))?;
        let write = |path: std::path::PathBuf, text: String| {
            fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))
        };
        write(data.join("myid"), format!("{}\n", at + 1))?;
        write(data.with_file_name("zoo.cfg"), lines.join("\n") + "\n")
    }

    /// How many servers there are, running or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no server at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One server: to kill, pause and look at.
    ///
    /// # Panics
    ///
    /// When there are not that many.
    #[must_use]
    pub fn member(&self, at: usize) -> &Server {
        &self.members[at]
    }

    /// The host of a server.
    #[must_use]
    pub fn host(&self, at: usize) -> String {
        format!("127.0.0.{}", at + 1)
    }

    /// The port of all servers.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.client.number()
    }

    /// The address of a server for clients.
    #[must_use]
    pub fn endpoint(&self, at: usize) -> SocketAddr {
        let last = u8::try_from(at + 1).unwrap_or(u8::MAX);
        SocketAddr::from(([127, 0, 0, last], self.port()))
    }

    /// Kills a server if it runs and starts it with the same data.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is down or starting; call it again to know.
    pub async fn restart(&self, at: usize) -> Result<()> {
        self.members[at].kill();
        self.members[at].launch()?;
        self.serves(at).await
    }

    /// What a server answers to a word of four letters.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when nobody answers, [`Error::Timeout`] after 10 s.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn word(&self, at: usize, word: &str) -> Result<String> {
        four_letters(self.endpoint(at), word, Duration::from_secs(10)).await
    }

    async fn go(&self) -> Result<()> {
        for member in &self.members {
            member.launch()?;
        }
        for at in 0..self.members.len() {
            self.serves(at).await?;
        }
        Ok(())
    }

    /// Waits until a server takes part in a majority.
    async fn serves(&self, at: usize) -> Result<()> {
        let server = &self.members[at];
        let end = Instant::now() + READY;
        while Instant::now() < end {
            if let Some(status) = server.exited() {
                return Err(server.exit_error(status));
            }
            let told = four_letters(self.endpoint(at), "srvr", Duration::from_secs(2)).await;
            if told.is_ok_and(|told| told.contains("Mode: ")) {
                return Ok(());
            }
            poll_until(Duration::from_millis(50), || server.exited()).await;
        }
        Err(Error::timeout("the start of a member of an ensemble", READY, server.logs()))
    }
}
