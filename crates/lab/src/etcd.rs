//! A real etcd server for one test.

use std::{net::SocketAddr, ops::Deref, path::PathBuf, process::Command, time::Duration};

use crate::{
    Error, EtcdCounts, EtcdOptions, Etcdctl, Port, Result, Server, free_port, http_get, process::poll_until,
    program,
};

const READY: Duration = Duration::from_secs(20);
const ATTEMPTS: u32 = 5;

/// A single-node etcd on loopback; killed, reaped and deleted when dropped.
///
/// The program is the one `ETCD_BIN` names, else `etcd` on `PATH`. Everything that any server can do
/// (kill, stop, pause, logs) comes from [`Server`].
///
/// ```no_run
/// # async fn run() -> reception_lab::Result<()> {
/// let etcd = reception_lab::Etcd::start().await?;
/// etcd.ctl()?.run(&["put", "greeting", "hello"]).await?;
/// etcd.kill();
/// etcd.restart().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Etcd {
    server: Server,
    program: PathBuf,
    options: EtcdOptions,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    client: Port,
    peer: Port,
    /// Health and metrics, in plain text even when clients use TLS.
    health: Port,
}

impl Deref for Etcd {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Etcd {
    /// Starts a server with no options and waits until it serves.
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is killed.
    pub async fn start() -> Result<Self> {
        Self::start_with(EtcdOptions::default()).await
    }

    /// Starts a server and waits until it serves.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] without etcd, [`Error::Exited`] when it ended early, [`Error::Timeout`] after
    /// 20 s, [`Error::NoPort`] when no port (or not the wanted one) is free.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is killed.
    pub async fn start_with(options: EtcdOptions) -> Result<Self> {
        let mut attempt = 1;
        let mut no_fsync = true;
        loop {
            let etcd = Self::prepare(&options, no_fsync)?;
            match etcd.go().await {
                Err(Error::Exited { logs, .. }) if no_fsync && logs.contains("defined: -unsafe-no-fsync") => {
                    no_fsync = false;
                }
                Err(Error::Exited { logs, .. })
                    if logs.contains("address already in use")
                        && options.ports.is_none()
                        && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                done => return done.map(|()| etcd),
            }
        }
    }

    fn prepare(options: &EtcdOptions, no_fsync: bool) -> Result<Self> {
        let program = program::find("etcd", "ETCD_BIN")?;
        let ports = Ports::reserve(options)?;
        let server = Server::prepare(program.clone(), "ETCD", |data| {
            let mut flags = ports.flags(options.tls.is_some());
            flags.push(format!("--data-dir={}", data.display()));
            flags.extend(no_fsync.then(|| "--unsafe-no-fsync".to_owned()));
            flags.extend(given(options));
            flags
        })?;
        Ok(Self { server, program, options: options.clone(), ports })
    }

    /// The URL of the server for clients, such as `http://127.0.0.1:15001`.
    #[must_use]
    pub fn url(&self) -> String {
        client_url(&self.ports, self.options.tls.is_some())
    }

    /// The address of the server for clients.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.ports.client.address()
    }

    /// The TLS files the server was started with.
    #[must_use]
    pub fn tls(&self) -> Option<&crate::EtcdTls> {
        self.options.tls.as_ref()
    }

    /// Kills the server if it runs and starts it on the same ports with the same data.
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is down or starting; call it again to know.
    pub async fn restart(&self) -> Result<()> {
        self.kill();
        self.go().await
    }

    /// Kills the server if it runs, deletes its data and starts it on the same ports, empty.
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with), and [`Error::Io`] when the data cannot be deleted.
    ///
    /// # Cancel safety
    ///
    /// As [`restart`](Self::restart).
    pub async fn wipe(&self) -> Result<()> {
        self.kill();
        self.server.delete_data()?;
        self.go().await
    }

    /// The version of the program, such as `3.4.23`.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] when the program does not tell it.
    pub fn version(&self) -> Result<String> {
        let told =
            Command::new(&self.program).arg("--version").output().map_err(Error::io("run etcd --version"))?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let version = told.lines().find_map(|line| line.strip_prefix("etcd Version: "));
        version.map(str::to_owned).ok_or_else(|| Error::unexpected("etcd --version tells no version"))
    }

    /// The value of one of the server's metrics, such as `etcd_debugging_lease_granted_total`.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] when the server has none of this name; else as [`http_get`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let all = self.metrics().await?;
        let line = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok())
            .ok_or_else(|| Error::unexpected(format!("the server has no metric {name}")))
    }

    /// What the server has counted of its clients' calls, messages, bytes and watches.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] when the server does not count this; else as [`http_get`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn counts(&self) -> Result<EtcdCounts> {
        EtcdCounts::parse(&self.metrics().await?)
    }

    async fn metrics(&self) -> Result<String> {
        Ok(http_get(self.ports.health.address(), "/metrics", READY).await?.body)
    }

    /// The command line program, pointed at this server.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] without etcdctl.
    pub fn ctl(&self) -> Result<Etcdctl> {
        let ctl = Etcdctl::new(self.url())?;
        Ok(match &self.options.tls {
            // Only a server that wants a client certificate is shown one: its own, which `ca` signed too.
            Some(tls) if tls.client_auth => ctl.tls(&tls.ca, Some((&tls.cert, &tls.key))),
            Some(tls) => ctl.tls(&tls.ca, None),
            None => ctl,
        })
    }

    /// The name, the peer's URL and the members, as a restored folder must know them.
    pub(crate) fn member(&self) -> [String; 3] {
        let peer = format!("http://{}", self.ports.peer.address());
        [
            "--name=lab".to_owned(),
            format!("--initial-cluster=lab={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
        ]
    }

    pub(crate) async fn go(&self) -> Result<()> {
        self.server.launch()?;
        let end = tokio::time::Instant::now() + READY;
        while tokio::time::Instant::now() < end {
            if let Some(status) = self.server.exited() {
                return Err(self.server.exit_error(status));
            }
            let health = http_get(self.ports.health.address(), "/health", Duration::from_secs(2)).await;
            if health.is_ok_and(|answer| answer.status == 200 && answer.body.contains("true")) {
                return Ok(());
            }
            poll_until(Duration::from_millis(20), || self.server.exited()).await;
        }
        Err(Error::timeout("the start of etcd", READY, self.logs()))
    }
}

impl Ports {
    fn reserve(options: &EtcdOptions) -> Result<Self> {
        let (client, peer) = match options.ports {
            Some((client, peer)) => {
                (Port::reserve(client)?.ok_or(Error::NoPort)?, Port::reserve(peer)?.ok_or(Error::NoPort)?)
            }
            None => (free_port()?, free_port()?),
        };
        Ok(Self { client, peer, health: free_port()? })
    }

    fn flags(&self, tls: bool) -> Vec<String> {
        let client = client_url(self, tls);
        let peer = format!("http://{}", self.peer.address());
        vec![
            "--name=lab".to_owned(),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=lab={peer}"),
            format!("--listen-metrics-urls=http://{}", self.health.address()),
            "--logger=zap".to_owned(),
            "--log-outputs=stderr".to_owned(),
        ]
    }
}

fn client_url(ports: &Ports, tls: bool) -> String {
    format!("{}://{}", if tls { "https" } else { "http" }, ports.client.address())
}

fn given(options: &EtcdOptions) -> Vec<String> {
    let mut flags = Vec::new();
    if let Some(tls) = &options.tls {
        flags.push(format!("--cert-file={}", tls.cert.display()));
        flags.push(format!("--key-file={}", tls.key.display()));
        if tls.client_auth {
            // etcd asks for a client certificate as soon as it knows an authority.
            flags.push(format!("--trusted-ca-file={}", tls.ca.display()));
            flags.push("--client-cert-auth".to_owned());
        }
    }
    if let Some(ttl) = options.auth_token_ttl {
        flags.push(format!("--auth-token-ttl={}", ttl.as_secs().max(1)));
    }
    flags.extend(options.flags.iter().cloned());
    flags
}
