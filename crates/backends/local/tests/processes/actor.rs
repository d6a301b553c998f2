//! A process of its own: this test program once more, which does what its environment says until it is killed.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
};

use reception_core::ClientExt as _;
use rustix::process::{Pid, Signal, kill_process};

use crate::{SOON, client, instance};

const ROLE: &str = "RECEPTION_LOCAL_ACTOR";
const FOLDER: &str = "RECEPTION_LOCAL_FOLDER";
const IDS: &str = "RECEPTION_LOCAL_IDS";
/// What it says is told by this from what the test harness says.
const SAYS: &str = "actor: ";

/// A child that plays a role.
pub(crate) struct Actor {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Actor {
    /// `register` keeps these ids registered, `update` changes the first one as fast as it can, `elect` stands as the first one.
    pub(crate) fn start(role: &str, folder: &Path, ids: &[&str]) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "actor::plays_its_role", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .env(IDS, ids.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (say, lines) = mpsc::sync_channel(1024);
        std::thread::spawn(move || pass_on(out, &say));
        Self { child, lines }
    }

    /// The next thing that it says.
    pub(crate) fn says(&self) -> String {
        self.lines.recv_timeout(SOON).expect("the actor says something")
    }

    /// What it has said so far, when it has.
    pub(crate) fn said(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// SIGKILL; the process may still be dying.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(crate) fn stop(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    pub(crate) fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

fn pass_on(out: ChildStdout, say: &mpsc::SyncSender<String>) {
    for line in BufReader::new(out).lines().map_while(Result::ok) {
        if let Some((_, said)) = line.split_once(SAYS)
            && say.send(said.to_owned()).is_err()
        {
            return;
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{SAYS}{what}").unwrap();
}

/// Does nothing unless this process is an actor.
#[test]
fn plays_its_role() {
    let Some(role) = env::var_os(ROLE) else { return };
    let folder = env::var_os(FOLDER).unwrap();
    let ids = env::var_os(IDS).unwrap().into_string().unwrap();
    // Whoever started us is gone when our input ends.
    std::thread::spawn(|| {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(play(&role, Path::new(&folder), &ids.split(',').collect::<Vec<_>>()));
}

async fn play(role: &OsStr, folder: &Path, ids: &[&str]) {
    let client = client(folder).await;
    if role == "elect" {
        let elector = client.elector(&"reaper".parse().unwrap()).await.unwrap();
        say("stands");
        let leadership = elector.elect(instance(ids[0])).await.unwrap();
        say(&leadership.token().to_string());
        say(&format!("lost: {}", leadership.lost().await));
        return std::future::pending().await;
    }
    let mut guards = Vec::new();
    for id in ids {
        guards.push(client.register(instance(id)).await.unwrap());
    }
    say("registered");
    for version in 0_u64.. {
        if role != "update" {
            std::future::pending::<()>().await;
        }
        let long = "x".repeat(usize::try_from(version % 500).unwrap());
        let next = instance(ids[0]).to_builder().attribute("version", &version.to_string());
        guards[0].update(next.attribute("long", &long).build().unwrap()).await.unwrap();
    }
}
