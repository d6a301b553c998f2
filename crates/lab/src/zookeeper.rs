//! A real ZooKeeper server for one test.

use std::{
    collections::BTreeMap,
    env, fs,
    net::SocketAddr,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{Error, Port, Result, Server, ZooKeeperOptions, free_port, process::poll_until, program};

const READY: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 5;
const MAIN: &str = "org.apache.zookeeper.server.ZooKeeperServerMain";
/// Where the Debian packages put the jars.
const JARS: &str = "/usr/share/java";
const NEEDED: &[&str] = &["zookeeper.jar", "slf4j-simple.jar"];
/// What the jar does not name and TLS needs.
const SECURE: &[&str] = &["netty-codec.jar", "netty-resolver.jar", "netty-transport-native-unix-common.jar"];
/// Names the folder of an unpacked release instead.
const HOME: &str = "ZOOKEEPER_HOME";
const WORD: u64 = 16 << 20;

/// A standalone ZooKeeper on loopback; killed, reaped and deleted when dropped.
///
/// The jars are those of the release in the folder that `ZOOKEEPER_HOME` names, else those of the
/// Debian package `zookeeper`; `java` is the one `JAVA_BIN` names, else the first on `PATH`. One tick is
/// 500 ms, so a session lives for at least 1 s. What any server can do comes from [`Server`].
///
/// ```no_run
/// # async fn run() -> reception_lab::Result<()> {
/// let zookeeper = reception_lab::ZooKeeper::start().await?;
/// println!("{}", zookeeper.word("srvr").await?);
/// zookeeper.restart().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ZooKeeper {
    server: Server,
    options: ZooKeeperOptions,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    client: Port,
    secure: Port,
}

impl Deref for ZooKeeper {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl ZooKeeper {
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
        Self::start_with(ZooKeeperOptions::default()).await
    }

    /// Starts a server and waits until it serves.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] without java or ZooKeeper's jars, [`Error::Exited`] when it ended early,
    /// [`Error::Timeout`] after 30 s, [`Error::NoPort`] when no port is free.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is killed.
    pub async fn start_with(options: ZooKeeperOptions) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let zookeeper = Self::prepare(&options)?;
            match zookeeper.go().await {
                Err(Error::Exited { logs, .. })
                    if logs.contains("Address already in use") && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                done => return done.map(|()| zookeeper),
            }
        }
    }

    fn prepare(options: &ZooKeeperOptions) -> Result<Self> {
        let java = program::find("java", "JAVA_BIN")?;
        let classes = classes()?;
        let ports = Ports { client: free_port()?, secure: free_port()? };
        let server = Server::prepare(java, "ZOO", |data| arguments(data, &classes, options))?;
        let zookeeper = Self { server, options: options.clone(), ports };
        zookeeper.write_configuration()?;
        Ok(zookeeper)
    }

    fn write_configuration(&self) -> Result<()> {
        let data = self.server.data();
        let write = |path: PathBuf, text: String| {
            fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))
        };
        write(configuration(&data), self.configured(&data))?;
        if self.options.sasl.is_empty() {
            return Ok(());
        }
        let users: String =
            self.options.sasl.iter().map(|(name, word)| format!("  user_{name}=\"{word}\"\n")).collect();
        let module = "org.apache.zookeeper.server.auth.DigestLoginModule required";
        let text = format!("Server {{\n  {module}\n{};\n}};\n", users.trim_end());
        write(data.with_file_name("jaas.conf"), text)
    }

    fn configured(&self, data: &Path) -> String {
        let address = self.ports.client.address();
        let mut lines = vec![
            "tickTime=500".to_owned(),
            "maxSessionTimeout=60000".to_owned(),
            format!("dataDir={}", data.display()),
            format!("clientPortAddress={}", address.ip()),
            format!("clientPort={}", address.port()),
            "admin.enableServer=false".to_owned(),
            "4lw.commands.whitelist=*".to_owned(),
            "maxClientCnxns=0".to_owned(),
            "forceSync=no".to_owned(),
            "preAllocSize=1024".to_owned(),
        ];
        if let Some(tls) = &self.options.tls {
            let secure = self.ports.secure.address();
            lines.extend([
                format!("secureClientPortAddress={}", secure.ip()),
                format!("secureClientPort={}", secure.port()),
                "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory".to_owned(),
                format!("ssl.keyStore.location={}", tls.identity.display()),
                format!("ssl.trustStore.location={}", tls.ca.display()),
                format!("ssl.clientAuth={}", if tls.client_auth { "need" } else { "none" }),
            ]);
        }
        if !self.options.sasl.is_empty() {
            let provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider";
            lines.push(format!("authProvider.1={provider}"));
        }
        lines.extend(self.options.lines.iter().cloned());
        lines.join("\n") + "\n"
    }

    /// The address of the server for clients.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.ports.client.address()
    }

    /// The address for clients that speak TLS; served when the options have TLS.
    #[must_use]
    pub fn secure_endpoint(&self) -> SocketAddr {
        self.ports.secure.address()
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

    /// What the server answers to a word of four letters, such as `srvr`, `mntr` or `dump`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when nobody answers, [`Error::Timeout`] after 30 s.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn word(&self, word: &str) -> Result<String> {
        four_letters(self.endpoint(), word, READY).await
    }

    /// The numbers that the server counts, by name, such as `zk_packets_received` and `zk_watch_count`.
    ///
    /// # Errors
    ///
    /// As [`word`](Self::word).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn counts(&self) -> Result<BTreeMap<String, f64>> {
        let told = self.word("mntr").await?;
        let number = |line: &str| {
            let (name, value) = line.split_once('\t')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Ok(told.lines().filter_map(number).collect())
    }

    /// The server's version, such as `3.8.0`.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] when it does not tell; else as [`word`](Self::word).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn version(&self) -> Result<String> {
        let told = self.word("srvr").await?;
        let version = told.lines().find_map(|line| line.strip_prefix("Zookeeper version: "));
        let number = version.and_then(|text| text.split(['-', ',', ' ']).next());
        number.map(str::to_owned).ok_or_else(|| Error::unexpected("the server tells no version"))
    }

    async fn go(&self) -> Result<()> {
        self.server.launch()?;
        let end = tokio::time::Instant::now() + READY;
        while tokio::time::Instant::now() < end {
            if let Some(status) = self.server.exited() {
                return Err(self.server.exit_error(status));
            }
            let told = four_letters(self.endpoint(), "srvr", Duration::from_secs(2)).await;
            if told.is_ok_and(|told| told.starts_with("Zookeeper version")) {
                return Ok(());
            }
            poll_until(Duration::from_millis(20), || self.server.exited()).await;
        }
        Err(Error::timeout("the start of ZooKeeper", READY, self.logs()))
    }
}

/// Beside the data, so that a wipe leaves it.
fn configuration(data: &Path) -> PathBuf {
    data.with_file_name("zoo.cfg")
}

fn arguments(data: &Path, classes: &str, options: &ZooKeeperOptions) -> Vec<String> {
    let mut arguments = machine("256m");
    if !options.sasl.is_empty() {
        let jaas = data.with_file_name("jaas.conf");
        arguments.push(format!("-Djava.security.auth.login.config={}", jaas.display()));
    }
    arguments.extend(options.properties.iter().map(|property| format!("-D{property}")));
    arguments.extend(["-cp".to_owned(), classes.to_owned(), MAIN.to_owned()]);
    arguments.push(configuration(data).display().to_string());
    arguments
}

/// What every server asks of its virtual machine, with this much memory.
pub(crate) fn machine(heap: &str) -> Vec<String> {
    let small = [
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-Djava.net.preferIPv4Stack=true",
    ];
    [format!("-Xmx{heap}")].into_iter().chain(small.map(str::to_owned)).collect()
}

/// The class path; the Debian jar names what else it needs.
pub(crate) fn classes() -> Result<String> {
    if let Some(home) = env::var_os(HOME).filter(|value| !value.is_empty()) {
        let home = PathBuf::from(home);
        let (lib, settings) = (home.join("lib"), home.join("conf"));
        // Its logger writes down every step unless the release's own settings are there.
        let classes = format!("{}:{}/*", settings.display(), lib.display());
        return if lib.is_dir() { Ok(classes) } else { Err(missing()) };
    }
    let path = |jar: &str| Path::new(JARS).join(jar);
    if !NEEDED.iter().all(|jar| path(jar).is_file()) {
        return Err(missing());
    }
    let jars = NEEDED.iter().chain(SECURE).map(|jar| path(jar).display().to_string());
    Ok(jars.collect::<Vec<_>>().join(":"))
}

fn missing() -> Error {
    Error::Missing { program: "zookeeper", variable: HOME }
}

/// Sends a word of four letters to any ZooKeeper server and reads the answer to its end.
///
/// # Errors
///
/// [`Error::Io`] when nobody answers, [`Error::Timeout`] after `limit`.
///
/// # Cancel safety
///
/// Cancel safe: the connection is closed.
pub async fn four_letters(server: SocketAddr, word: &str, limit: Duration) -> Result<String> {
    let what = format!("{word} to {server}");
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(word.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(WORD).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    match timeout(limit, exchange).await {
        Ok(answer) => answer.map_err(Error::io(what)),
        Err(_) => Err(Error::timeout(what, limit, "")),
    }
}
