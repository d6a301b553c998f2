//! The program on Curator, compiled once for each test run and run as a child.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        LazyLock,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::Duration,
};

use reception_tests::PATIENCE;

const JARS: &str = "/usr/share/java";
/// Each names what else it needs; the last two are asked for at run time alone.
const NEEDED: &[&str] = &[
    "curator-x-discovery.jar",
    "curator-recipes.jar",
    "curator-framework.jar",
    "curator-client.jar",
    "zookeeper.jar",
    "slf4j-simple.jar",
];

/// What the program may say before it is heard.
const LINES: usize = 1024;

/// A program on Curator. It ends with its handle, and with this process, since its input does.
pub(crate) struct Curator {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

fn class_path() -> String {
    let jars = NEEDED.iter().map(|jar| Path::new(JARS).join(jar));
    let missing: Vec<PathBuf> = jars.clone().filter(|jar| !jar.is_file()).collect();
    assert!(missing.is_empty(), "not found: {missing:?}; run `cargo xtask servers` to install Curator");
    jars.map(|jar| jar.display().to_string()).collect::<Vec<_>>().join(":")
}

/// Where the compiled program is.
fn compiled() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("curator-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("curator/Peer.java");
        let mut javac = Command::new("javac");
        javac.args(["-nowarn", "-cp", &class_path(), "-d"]).arg(&folder).arg(source);
        let said = javac.output().expect("javac runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        folder
    });
    &FOLDER
}

impl Curator {
    pub(crate) fn start(server: SocketAddr, base: &str) -> Self {
        let classes = format!("{}:{}", compiled().display(), class_path());
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &classes, "Peer"]);
        java.arg(server.to_string()).arg(base);
        java.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = java.spawn().expect("java runs");
        let (input, output) =
            (child.stdin.take().expect("an input"), child.stdout.take().expect("an output"));
        let (sender, lines) = sync_channel(LINES);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut curator = Self { child, input, lines };
        curator.until("ready");
        curator
    }

    pub(crate) fn send(&mut self, command: &str) {
        writeln!(self.input, "{command}").expect("the program reads");
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        self.within(PATIENCE, "a line")
    }

    fn within(&mut self, limit: Duration, what: &str) -> String {
        match self.lines.recv_timeout(limit) {
            Ok(line) => line,
            Err(late) => panic!("the program on Curator did not say {what}: {late}"),
        }
    }

    /// Waits for this line, past others.
    pub(crate) fn until(&mut self, wanted: &str) {
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != wanted) {
            said.push(self.within(PATIENCE, &format!("{wanted:?} after {said:?}")));
        }
    }

    pub(crate) fn until_with(&mut self, mut fits: impl FnMut(&str) -> bool) {
        let mut said = Vec::new();
        loop {
            let line = self.within(PATIENCE, &format!("what was wanted after {said:?}"));
            if fits(&line) {
                return;
            }
            said.push(line);
        }
    }
}

impl Drop for Curator {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
