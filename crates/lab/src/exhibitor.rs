//! A real Exhibitor for one test, beside ZooKeeper servers that it lists and leaves alone.

use std::{
    env, fs,
    net::SocketAddr,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    Error, ExhibitorOptions, Listed, Port, Response, Result, Server, free_port, http::http_ask,
    process::poll_until, program, zookeeper::machine,
};

const READY: Duration = Duration::from_secs(30);
/// How long a change of the file may take to be seen.
const SEEN: Duration = Duration::from_secs(10);
/// The file is looked at this often; a change that it misses is made known again after some looks.
const CHECK: Duration = Duration::from_millis(200);
const ATTEMPTS: u32 = 5;
/// The path of the list that clients ask for.
const LIST: &str = "/exhibitor/v1/cluster/list";
/// Names a folder with the jars in `lib` and the launcher in `classes` instead of the cache.
const HOME: &str = "EXHIBITOR_HOME";
/// Where `cargo xtask servers` puts them, below the user's cache.
const CACHE: &str = "reception/exhibitor-1.5.6";
/// Without these Exhibitor would restart, clean up and back up the servers that it lists.
const SWITCHES: &[&str] = &["restarts", "cleanup", "backups"];
const PREFIX: &str = "com.netflix.exhibitor";
/// The realm of its log-in, and the role that only its pages need.
const REALM: &str = "lab";

/// An Exhibitor on loopback; killed, reaped and deleted when dropped.
///
/// The jars are those in the folder that `EXHIBITOR_HOME` names, else those that `cargo xtask servers` brought; `java` is the one
/// `JAVA_BIN` names, else the first on `PATH`. It lists what it is told to and manages nothing. What any server can do comes from
/// [`Server`]: paused it takes connections and never answers.
///
/// ```no_run
/// # async fn run() -> reception_lab::Result<()> {
/// use reception_lab::{Exhibitor, Listed};
///
/// let exhibitor = Exhibitor::start(Listed::new(["127.0.0.1"], 2181)).await?;
/// exhibitor.list(Listed::new(["127.0.0.1", "127.0.0.2"], 2181)).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Exhibitor {
    server: Server,
    options: ExhibitorOptions,
    port: Port,
    listed: Mutex<Listed>,
}

impl Deref for Exhibitor {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Exhibitor {
    /// Starts an Exhibitor that lists these servers and waits until it does.
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is killed.
    pub async fn start(listed: Listed) -> Result<Self> {
        Self::start_with(listed, ExhibitorOptions::default()).await
    }

    /// Starts an Exhibitor that lists these servers and waits until it does.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] without java or Exhibitor's jars, [`Error::Exited`] when it ended early, [`Error::Timeout`] after 30 s,
    /// [`Error::NoPort`] when no port is free.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the server is killed.
    pub async fn start_with(listed: Listed, options: ExhibitorOptions) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let exhibitor = Self::prepare(listed.clone(), options.clone())?;
            match exhibitor.go().await {
                Err(Error::Exited { logs, .. }) if logs.contains("already in use") && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                done => return done.map(|()| exhibitor),
            }
        }
    }

    /// The folder with its jars and the launcher.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when there is none.
    pub fn installed() -> Result<PathBuf> {
        home()
    }

    fn prepare(listed: Listed, options: ExhibitorOptions) -> Result<Self> {
        let java = program::find("java", "JAVA_BIN")?;
        let home = home()?;
        let port = free_port()?;
        let server = Server::prepare(java, "EXHIBITOR", |data| arguments(data, &home, &port, &options))?;
        let exhibitor = Self { server, options, port, listed: Mutex::new(listed) };
        let folder = exhibitor.server.data();
        fs::create_dir_all(&folder).map_err(Error::io(format!("create {}", folder.display())))?;
        // Read once, at the start.
        let off: String =
            SWITCHES.iter().map(|name| format!("{PREFIX}.control-panel.{name}=false\n")).collect();
        write(&folder.join("prefs.properties"), &off)?;
        exhibitor.write_list()?;
        Ok(exhibitor)
    }

    /// The address that it answers on.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.port.address()
    }

    /// The file with its configuration, which it looks at five times a second.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.server.data().join("exhibitor.properties")
    }

    /// Changes the servers that it lists and waits until it does.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] after 10 s, [`Error::Io`] when the file cannot be written.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the file is written, or not.
    pub async fn list(&self, listed: Listed) -> Result<()> {
        *self.listed() = listed;
        self.write_list()?;
        let end = Instant::now() + SEEN;
        let mut again = Instant::now() + 5 * CHECK;
        loop {
            match self.lists().await {
                Ok(()) => return Ok(()),
                Err(seen) if Instant::now() > end => {
                    return Err(Error::timeout("a change of Exhibitor's list", SEEN, seen));
                }
                // A change between its look at the content and at the time is lost for good.
                Err(_) if Instant::now() > again => {
                    again = end;
                    self.write_list()?;
                }
                Err(_) => poll_until(Duration::from_millis(50), || None::<()>).await.unwrap_or_default(),
            }
        }
    }

    /// Kills the Exhibitor if it runs and starts it on the same port with the same list.
    ///
    /// # Errors
    ///
    /// As [`start_with`](Self::start_with).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it is down or starting; call it again to know.
    pub async fn restart(&self) -> Result<()> {
        self.server.kill();
        self.go().await
    }

    /// Asks for a path below its address, with these headers.
    ///
    /// # Errors
    ///
    /// As [`http_get`](crate::http_get).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the connection is closed.
    pub async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
        http_ask(self.endpoint(), path, headers, Duration::from_secs(5)).await
    }

    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whole file is put in place of the old one: half of it would be read as an empty list.
    fn write_list(&self) -> Result<()> {
        let text = self.listed().properties(PREFIX);
        let (file, fresh) = (self.file(), self.file().with_extension("fresh"));
        write(&fresh, &text)?;
        fs::rename(&fresh, &file).map_err(Error::io(format!("replace {}", file.display())))
    }

    /// Whether it answers the list that it shall, else what it does.
    async fn lists(&self) -> Result<(), String> {
        let mut headers = vec![("Accept", "application/json")];
        let login = self.options.basic();
        headers.extend(login.as_deref().map(|login| ("Authorization", login)));
        let answer = self.ask(LIST, &headers).await.map_err(|error| error.to_string())?;
        let wanted = self.listed().json();
        let seen = format!("{} {}", answer.status, answer.body);
        if seen == format!("200 {wanted}") { Ok(()) } else { Err(seen) }
    }

    async fn go(&self) -> Result<()> {
        self.server.launch()?;
        let end = Instant::now() + READY;
        loop {
            if let Some(status) = self.server.exited() {
                return Err(self.server.exit_error(status));
            }
            match self.lists().await {
                Ok(()) => return Ok(()),
                Err(seen) if Instant::now() > end => {
                    let told = format!("{seen}\n{}", self.server.logs());
                    return Err(Error::timeout("the start of Exhibitor", READY, told));
                }
                Err(_) => drop(poll_until(Duration::from_millis(50), || self.server.exited()).await),
            }
        }
    }
}

fn arguments(data: &Path, home: &Path, port: &Port, options: &ExhibitorOptions) -> Vec<String> {
    let mut arguments = machine("64m");
    // Else a library of it defines classes inside the virtual machine's own, which newer ones refuse.
    arguments.push("-Dcom.sun.xml.bind.v2.bytecode.ClassTailor.noOptimize=true".to_owned());
    arguments.extend(["-Dlisten=127.0.0.1", "-cp"].map(str::to_owned));
    arguments.push(format!("{0}/classes:{0}/lib/*", home.display()));
    arguments.extend(["Launcher", "-c", "file", "--fsconfigdir"].map(str::to_owned));
    arguments.push(data.display().to_string());
    arguments.extend(["--prefspath".to_owned(), data.join("prefs.properties").display().to_string()]);
    // No name of a listed server: it shall take none for its own.
    arguments.extend(["--hostname".to_owned(), "exhibitor-lab".to_owned()]);
    arguments.extend(["--port".to_owned(), port.number().to_string()]);
    arguments.extend(["--configcheckms".to_owned(), CHECK.as_millis().to_string()]);
    if let Some((user, password)) = &options.login {
        // All five, or it lets everybody in.
        arguments.extend(["--basicauthrealm", REALM].map(str::to_owned));
        for role in ["console", "curator"] {
            arguments.extend([format!("--{role}user"), user.clone()]);
            arguments.extend([format!("--{role}password"), password.clone()]);
        }
    }
    arguments
}

/// The folder with the jars and the launcher.
fn home() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    let home = set(HOME).or_else(|| cache().map(|cache| cache.join(CACHE)));
    home.filter(|home| home.join("classes/Launcher.class").is_file() && home.join("lib").is_dir())
        .ok_or(Error::Missing { program: "exhibitor", variable: HOME })
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}
