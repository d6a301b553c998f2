//! Programs in Java: how tests meet libraries of that world.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Result, Running, process::Launch, program};

/// Where the Debian packages put the jars; those name what else they need.
const JARS: &str = "/usr/share/java";
const NEEDED: &[&str] = &["curator-x-discovery.jar", "curator-recipes.jar", "slf4j-simple.jar"];
/// Names the folder with the jars of a release and of all that it needs instead.
const HOME: &str = "CURATOR_HOME";
const SMALL: &[&str] = &["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];

/// A program written in Java against Apache Curator, compiled and ready to start.
///
/// `javac` and `java` are those that `JAVAC_BIN` and `JAVA_BIN` name, else the first on `PATH`.
///
/// ```no_run
/// # async fn run() -> reception_lab::Result<()> {
/// use std::{path::Path, time::Duration};
///
/// let program = reception_lab::Java::compile(Path::new("Curator.java"), Path::new("target/classes"))?;
/// let mut running = program.start("Curator", &["127.0.0.1:2181", "10000"])?;
/// running.say("names")?;
/// println!("{}", running.line(Duration::from_secs(10)).await?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Java {
    launch: Launch,
}

impl Java {
    /// Compiles one source file into a folder of classes, which is made anew. Blocks for seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] without a JDK or Curator's jars, [`Error::Failed`] when the source does not compile,
    /// [`Error::Io`] when the folder cannot be made.
    pub fn compile(source: &Path, classes: &Path) -> Result<Self> {
        let (javac, java) = (program::find("javac", "JAVAC_BIN")?, program::find("java", "JAVA_BIN")?);
        let jars = jars()?;
        if classes.exists() {
            fs::remove_dir_all(classes).map_err(Error::io(format!("delete {}", classes.display())))?;
        }
        fs::create_dir_all(classes).map_err(Error::io(format!("create {}", classes.display())))?;
        let mut command = Command::new(&javac);
        command.args(SMALL.iter().map(|option| format!("-J{option}"))).arg("-J-Xmx128m");
        command.args(["-encoding", "UTF-8", "-cp", &jars, "-d"]).arg(classes).arg(source);
        let done = command.output().map_err(Error::io(format!("start {}", javac.display())))?;
        if !done.status.success() {
            return Err(Error::Failed {
                command: format!("javac {}", source.display()),
                status: done.status.to_string(),
                stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
            });
        }
        let mut args: Vec<_> = SMALL.iter().copied().map(str::to_owned).collect();
        args.extend(
            ["-Xmx64m", "-Djava.net.preferIPv4Stack=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
                .map(str::to_owned),
        );
        args.extend(["-cp".to_owned(), format!("{}:{jars}", classes.display())]);
        Ok(Self { launch: Launch { program: java, args, envs: Vec::new(), hidden: "" } })
    }

    /// Starts the class with these arguments; it listens to [`Running::say`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be started.
    pub fn start(&self, class: &str, args: &[&str]) -> Result<Running> {
        let mut launch = self.launch.clone();
        launch.args.push(class.to_owned());
        launch.args.extend(args.iter().map(|&arg| arg.to_owned()));
        Running::start_listening(&launch, format!("java {class} {}", args.join(" ")))
    }
}

/// The class path.
fn jars() -> Result<String> {
    if let Some(home) = env::var_os(HOME).filter(|value| !value.is_empty()) {
        return Ok(format!("{}/*", PathBuf::from(home).display()));
    }
    let jars: Vec<_> = NEEDED.iter().map(|jar| Path::new(JARS).join(jar)).collect();
    if !jars.iter().all(|jar| jar.is_file()) {
        return Err(Error::Missing { program: "curator", variable: HOME });
    }
    let jars: Vec<_> = jars.iter().map(|jar| jar.display().to_string()).collect();
    Ok(jars.join(":"))
}
