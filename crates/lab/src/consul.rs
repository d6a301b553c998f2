//! A real Consul agent for one test.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    ConsulApi, ConsulOptions, Error, Port, Result, Running, Server, free_port,
    process::{Launch, poll_until},
    program,
};

const READY: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 5;
/// Where `cargo xtask servers` puts the program, below this project's part of the user's cache.
const UNPACKED: &str = "consul-1.8.7/usr/bin/consul";
/// Its name in the catalogue.
const NODE: &str = "lab";
/// Short elections, many clients on one address, numbers that can be read, no talk with anybody else.
const ALWAYS: &str = r#"performance { raft_multiplier = 1 }
limits { http_max_conns_per_client = 8000 }
telemetry { prometheus_retention_time = "1h" disable_hostname = true }
disable_update_check = true
"#;

/// A single Consul agent on loopback, which is its own server; killed, reaped and deleted when dropped.
///
/// The program is the one `CONSUL_BIN` names, else `consul` on `PATH`, else the one that `cargo xtask servers` unpacked. What any
/// server can do (kill, stop, pause, logs) comes from [`Server`].
///
/// ```no_run
/// # async fn run() -> reception_lab::Result<()> {
/// let consul = reception_lab::Consul::start().await?;
/// consul.api().put("/v1/kv/greeting", "hello").await?;
/// consul.restart().await?; // in memory: the key is gone
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Consul {
    server: Server,
    program: PathBuf,
    options: ConsulOptions,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    http: Port,
    https: Port,
    server: Port,
    gossip: Port,
    wide: Port,
    dns: Port,
}

impl Deref for Consul {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Consul {
    /// Starts an agent with everything in memory and waits until it leads its cluster of one.
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the agent is killed.
    pub async fn start() -> Result<Self> {
        Self::start_with(ConsulOptions::default()).await
    }

    /// Starts an agent and waits until it leads its cluster of one and knows itself.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] without Consul, [`Error::Exited`] when it ended early, [`Error::Timeout`] after 30 s, [`Error::NoPort`] when
    /// no port is free.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the agent is killed.
    pub async fn start_with(options: ConsulOptions) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let consul = Self::prepare(&options)?;
            match consul.go().await {
                Err(Error::Exited { logs, .. })
                    if logs.contains("address already in use") && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                done => return done.map(|()| consul),
            }
        }
    }

    fn prepare(options: &ConsulOptions) -> Result<Self> {
        let program = program::find_unpacked("consul", "CONSUL_BIN", UNPACKED)?;
        let ports = Ports {
            http: free_port()?,
            https: free_port()?,
            server: free_port()?,
            gossip: free_port()?,
            wide: free_port()?,
            dns: free_port()?,
        };
        let server = Server::prepare(program.clone(), "CONSUL", |data| arguments(data, &ports, options))?;
        Ok(Self { server, program, options: options.clone(), ports })
    }

    /// What is missing on this machine to start one.
    #[must_use]
    pub fn missing() -> Option<Error> {
        program::find_unpacked("consul", "CONSUL_BIN", UNPACKED).err()
    }

    /// The address of the agent for clients.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.ports.http.address()
    }

    /// The address for clients that speak TLS; served when the options have TLS.
    #[must_use]
    pub fn secure_endpoint(&self) -> SocketAddr {
        self.ports.https.address()
    }

    /// Where it gossips with the agents of its cluster.
    #[must_use]
    pub fn gossip(&self) -> SocketAddr {
        self.ports.gossip.address()
    }

    /// Where it gossips with the servers of other datacenters, if the options say that it does.
    #[must_use]
    pub fn wide_gossip(&self) -> SocketAddr {
        self.ports.wide.address()
    }

    /// Where it answers DNS, if the options say that it does.
    #[must_use]
    pub fn dns(&self) -> SocketAddr {
        self.ports.dns.address()
    }

    /// Its name in the catalogue.
    #[must_use]
    pub fn node(&self) -> &str {
        self.options.node.as_deref().unwrap_or(NODE)
    }

    /// The agent asked directly, with the token that may do everything.
    #[must_use]
    pub fn api(&self) -> ConsulApi {
        let api = ConsulApi::new(self.endpoint());
        match &self.options.token {
            Some(token) => api.token(token),
            None => api,
        }
    }

    /// Kills the agent if it runs and starts it on the same ports: with its data if it is durable, else empty.
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the agent is down or starting; call it again to know.
    pub async fn restart(&self) -> Result<()> {
        self.kill();
        self.go().await
    }

    /// Kills the agent if it runs, deletes its data and starts it on the same ports, empty.
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

    /// The numbers that the agent counts, by name without labels, those of one name added up.
    ///
    /// # Errors
    ///
    /// As [`ConsulApi::ask`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn counts(&self) -> Result<BTreeMap<String, f64>> {
        let told = self.api().get("/v1/agent/metrics?format=prometheus").await?.body;
        let mut counts = BTreeMap::new();
        for line in told.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let name = name.split('{').next().unwrap_or(name).to_owned();
            *counts.entry(name).or_default() += value.trim().parse().unwrap_or(0.0);
        }
        Ok(counts)
    }

    /// The version of the program, such as `1.8.7`.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] when the program does not tell it.
    pub fn version(&self) -> Result<String> {
        let said = Command::new(&self.program).arg("version").output();
        let said = said.map_err(Error::io("ask Consul for its version"))?.stdout;
        let said = String::from_utf8_lossy(&said);
        let version = said.lines().find_map(|line| line.strip_prefix("Consul v"));
        version.map(str::to_owned).ok_or_else(|| Error::unexpected("Consul tells no version"))
    }

    /// Starts a command of the program against `agent`, such as `["lock", "jobs", "sleep", "60"]`; killed when dropped, with what it
    /// started.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn command(&self, agent: SocketAddr, args: &[&str]) -> Result<Running> {
        let mut envs = vec![("CONSUL_HTTP_ADDR", format!("http://{agent}"))];
        envs.extend(self.options.token.clone().map(|token| ("CONSUL_HTTP_TOKEN", token)));
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let named = format!("consul {}", args.join(" "));
        Running::start(&Launch { program: self.program.clone(), args, envs, hidden: "CONSUL" }, named)
    }

    /// Runs a command of the program against this agent to its end, such as `["snapshot", "save", "file"]`.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when it exits with a failure, [`Error::Timeout`] after 30 s.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the command is killed, but may have done its work.
    pub async fn run(&self, args: &[&str]) -> Result<()> {
        let mut running = self.command(self.endpoint(), args)?;
        let what = format!("consul {}", args.join(" "));
        let ended = poll_until(READY, || running.exited()).await;
        let status = ended.ok_or_else(|| Error::timeout(&what, READY, running.stderr()))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Failed { command: what, status: status.to_string(), stderr: running.stderr() })
    }

    async fn go(&self) -> Result<()> {
        self.server.launch()?;
        let end = tokio::time::Instant::now() + READY;
        while tokio::time::Instant::now() < end {
            if let Some(status) = self.server.exited() {
                return Err(self.server.exit_error(status));
            }
            if serves(&self.api(), self.node()).await {
                return Ok(());
            }
            poll_until(Duration::from_millis(20), || self.server.exited()).await;
        }
        Err(Error::timeout("the start of Consul", READY, self.logs()))
    }
}

/// Whether this agent's cluster has a leader and its catalogue the agent.
pub(crate) async fn serves(api: &ConsulApi, node: &str) -> bool {
    let leader = api.get("/v1/status/leader").await;
    let leads = leader.is_ok_and(|answer| answer.status == 200 && answer.body.trim().len() > 2);
    leads
        && api
            .get(&format!("/v1/health/node/{node}"))
            .await
            .is_ok_and(|answer| answer.body.contains("serfHealth"))
}

fn arguments(data: &Path, ports: &Ports, options: &ConsulOptions) -> Vec<String> {
    let mut arguments: Vec<String> = vec!["agent".to_owned()];
    let folder = format!("-data-dir={}", data.display());
    match options.agent_of {
        Some(gossip) => arguments.extend([folder, format!("-retry-join={gossip}")]),
        None if options.durable => {
            arguments.extend(["-server".to_owned(), "-bootstrap-expect=1".to_owned(), folder]);
        }
        None => arguments.push("-dev".to_owned()),
    }
    let when = |wanted: bool, port: &Port| if wanted { i32::from(port.number()) } else { -1 };
    arguments.extend([
        "-bind=127.0.0.1".to_owned(),
        "-client=127.0.0.1".to_owned(),
        format!("-node={}", options.node.as_deref().unwrap_or(NODE)),
        format!("-http-port={}", ports.http.number()),
        format!("-dns-port={}", when(options.dns, &ports.dns)),
        "-grpc-port=-1".to_owned(),
        format!("-server-port={}", ports.server.number()),
        format!("-serf-lan-port={}", ports.gossip.number()),
        format!("-serf-wan-port={}", when(options.wide, &ports.wide)),
        "-log-level=info".to_owned(),
    ]);
    arguments.extend(options.datacenter.iter().map(|name| format!("-datacenter={name}")));
    arguments.extend(options.beside.iter().map(|gossip| format!("-retry-join-wan={gossip}")));
    for fragment in [ALWAYS.to_owned()].into_iter().chain(guarded(ports, options)) {
        arguments.extend(["-hcl".to_owned(), fragment]);
    }
    arguments
}

fn guarded(ports: &Ports, options: &ConsulOptions) -> Vec<String> {
    let mut fragments = Vec::new();
    if let Some(token) = &options.token {
        fragments.push(format!(
            "acl {{ enabled = true default_policy = \"deny\" tokens {{ master = \"{token}\" agent = \"{token}\" }} }}"
        ));
    }
    if let Some(tls) = &options.tls {
        fragments.push(format!(
            "ports {{ https = {} }} ca_file = \"{}\" cert_file = \"{}\" key_file = \"{}\" verify_incoming_https = {}",
            ports.https.number(),
            tls.ca.display(),
            tls.cert.display(),
            tls.key.display(),
            tls.client_auth
        ));
    }
    fragments.extend(options.fragments.iter().cloned());
    fragments
}
