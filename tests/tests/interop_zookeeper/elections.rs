//! Curator's `LeaderLatch` and our electors stand in one election: one at a time leads, and whoever dies is followed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{StreamExt as _, pin_mut};
use reception::{Client, ClientExt as _, Elector, Observation, Service};
use reception_lab::{
    Agent, ZooKeeper,
    history::{Bounds, Details, Event, Line, Reader, Recorder, boot_ns, check},
};
use reception_tests::{PATIENCE, dial, patiently};
use tokio::time::{Instant, sleep, timeout};

use crate::{SESSION, curator::Curator};

/// Where the candidates stand; the namespace is `/discovery`.
const ELECTION: &str = "/discovery-elections/reaper";
const DOMAIN: &str = "/discovery-elections/.domain";

/// How much later than a session's end its successor may lead on a busy machine.
const LOAD: Duration = Duration::from_secs(2);

fn url(server: &ZooKeeper) -> String {
    format!("zk://{}/discovery?ttl={}s", server.endpoint(), SESSION.as_secs())
}

fn candidate(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().expect("valid")
}

async fn elector(client: &dyn Client) -> Box<dyn Elector> {
    client.elector(&"reaper".parse().expect("a name")).await.expect("an elector")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_latch_is_seen_waited_for_and_followed() {
    let server = ZooKeeper::start().await.expect("a server");
    let mut curator = Curator::start(server.endpoint()).await;
    curator.tell(&["latch", ELECTION, "the latch"]).await;
    curator.event("the latch leads", |event| event == "leads the latch").await;

    let client = dial(&url(&server)).await;
    let elector = elector(&*client).await;
    let leader = patiently("leader", elector.leader()).await.expect("answers").expect("somebody leads");
    assert_eq!((leader.value(), leader.service()), (&b"the latch"[..], None));
    let standing = elector.elect(candidate("ours"));
    pin_mut!(standing);
    assert!(timeout(Duration::from_millis(700), standing.as_mut()).await.is_err(), "it waits");

    let candidates = patiently("candidates", elector.candidates()).await.expect("answers");
    let ids: Vec<_> =
        candidates.iter().map(|each| each.service().map(|service| service.id().to_string())).collect();
    assert_eq!(ids, [None, Some("ours".to_owned())]);
    let told = curator.tell(&["participants"]).await;
    let (first, second) = told.split_once(" | ").expect("two");
    assert_eq!(first, "leader the latch");
    assert!(second.starts_with("candidate {") && second.contains("\"ours\""), "{second}");

    curator.tell(&["unlatch"]).await;
    let leadership = patiently("elect", standing).await.expect("elected");
    assert!(leadership.token().value() > leader.token().value(), "{} {}", leadership.token(), leader.token());
    client.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_latch_sees_our_leader_waits_for_it_and_follows() {
    let server = ZooKeeper::start().await.expect("a server");
    let client = dial(&url(&server)).await;
    let elector = elector(&*client).await;
    let leadership = patiently("elect", elector.elect(candidate("ours"))).await.expect("elected");
    let mut observed = elector.observe().await.expect("observes");

    let mut curator = Curator::start(server.endpoint()).await;
    curator.tell(&["latch", ELECTION, "next"]).await;
    sleep(Duration::from_millis(700)).await;
    let told = curator.tell(&["participants"]).await;
    let (first, second) = told.split_once(" | ").expect("two");
    assert!(first.starts_with("leader {") && first.contains("\"ours\""), "{first}");
    assert_eq!(second, "candidate next");
    assert!(leadership.is_held());

    let token = leadership.token();
    patiently("resign", leadership.resign()).await.expect("resigns");
    curator.event("the latch leads", |event| event == "leads next").await;
    let sees_latch = async {
        while let Some(item) = observed.next().await {
            if let Observation::Leader(leader) = item?
                && leader.value() == b"next"
            {
                return Ok(leader.token().value() > token.value());
            }
        }
        Ok(false)
    };
    assert!(patiently("observe", sees_latch).await.expect("observes"), "a greater token");
    client.close().await.expect("closes");
}

/// Latches and contenders of ours in processes of their own, and what they tell.
struct Contest {
    server: ZooKeeper,
    /// How long each leads before it hands over.
    span: Duration,
    path: PathBuf,
    recorder: Recorder,
    reader: Reader,
    lines: Vec<Line>,
    latches: Vec<Curator>,
    contenders: Vec<Agent>,
}

impl Contest {
    async fn open(name: &str, span: Duration) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(format!("{name}-{}.history", std::process::id()));
        drop(fs::remove_file(&path));
        let recorder = Recorder::open(&path).expect("a history");
        let reader = Reader::open(&path).expect("a history");
        let server = ZooKeeper::start().await.expect("a server");
        Self {
            server,
            span,
            path,
            recorder,
            reader,
            lines: Vec::new(),
            latches: Vec::new(),
            contenders: Vec::new(),
        }
    }

    /// One of ours.
    fn contender(&mut self, id: &str) -> u32 {
        let (url, path, span) =
            (url(&self.server), self.path.display().to_string(), self.span.as_millis().to_string());
        let words =
            ["--url", &url, "--history", &path, "--id", id, "--election", "reaper", "--lead-for", &span];
        let agent = Agent::start(env!("CARGO_BIN_EXE_contender"), words).expect("starts");
        let pid = agent.pid();
        self.contenders.push(agent);
        pid
    }

    /// One of theirs.
    async fn latch(&mut self, id: &str) -> u32 {
        let mut curator = Curator::start(self.server.endpoint()).await;
        let (path, span, clock) =
            (self.path.display().to_string(), self.span.as_millis().to_string(), ahead().to_string());
        curator.tell(&["contend", ELECTION, id, &path, &clock, DOMAIN, &span]).await;
        let pid = curator.pid();
        self.latches.push(curator);
        pid
    }

    /// Waits for the next election after `from` that `wanted` takes.
    async fn elected(&mut self, what: &str, from: u64, wanted: impl Fn(&Line) -> bool) -> Line {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.lines.extend(self.reader.more().expect("a history"));
            let found =
                self.lines.iter().find(|line| line.event == Event::Elected && line.ns > from && wanted(line));
            if let Some(line) = found {
                return line.clone();
            }
            assert!(
                Instant::now() < deadline,
                "{what}: not within {PATIENCE:?}; see {}",
                self.path.display()
            );
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Writes down that something is to be done to a process; answers when.
    fn fault(&self, name: &str, pid: u32) -> u64 {
        let ns = boot_ns();
        let details = Details::new().with("name", name).with_list("pids", [pid]);
        self.recorder.record_at(ns, Event::Fault, None, details).expect("a line");
        ns
    }

    /// Writes down what was done to a process.
    fn done(&self, pid: u32, what: Event) {
        self.recorder.record_for(pid, what, None, Details::new()).expect("a line");
    }

    /// Writes down that all is well again.
    fn heal(&self) {
        let details = Details::new().with("within", LOAD.as_millis());
        self.recorder.record(Event::Heal, None, details).expect("a line");
    }

    /// Ends everybody in order and judges the history.
    async fn judge(mut self) -> Vec<Line> {
        for latch in &mut self.latches {
            latch.tell(&["rest"]).await;
        }
        for contender in &self.contenders {
            let status = contender.terminate().await.expect("ends");
            assert!(status.success(), "{status}: {}", contender.logs());
        }
        self.lines.extend(self.reader.more().expect("a history"));
        let violations = check(&self.lines, &Bounds::default().ttl(SESSION));
        let told: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}\nsee {}", told.join("\n"), self.path.display());
        fs::remove_file(&self.path).expect("a history");
        self.lines
    }
}

/// What the clock of the history is ahead of Java's.
fn ahead() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) =
        (u64::try_from(now.tv_sec).expect("positive"), u64::try_from(now.tv_nsec).expect("positive"));
    boot_ns().saturating_sub(seconds * 1_000_000_000 + nanos)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latches_and_ours_hand_over_to_each_other_and_never_two_lead() {
    let mut contest = Contest::open("hand-over", Duration::from_millis(200)).await;
    let first = contest.contender("ours-0");
    contest.elected("ours", 0, |line| line.pid == first).await;
    let ours = [first, contest.contender("ours-1")];
    let theirs = [contest.latch("latch-0").await, contest.latch("latch-1").await];
    let begun = boot_ns();
    for pid in ours.into_iter().chain(theirs) {
        contest.elected("each", begun, |line| line.pid == pid).await;
    }
    for _ in 0..4 {
        let theirs_at = contest.elected("a latch", boot_ns(), |line| theirs.contains(&line.pid)).await.ns;
        contest.elected("ours after a latch", theirs_at, |line| ours.contains(&line.pid)).await;
    }
    let lines = contest.judge().await;
    let terms = |pids: &[u32]| {
        lines.iter().filter(|line| line.event == Event::Elected && pids.contains(&line.pid)).count()
    };
    assert!(terms(&ours) >= 5 && terms(&theirs) >= 5, "ours {}, theirs {}", terms(&ours), terms(&theirs));
    let claims =
        |pids: &[u32]| lines.iter().any(|line| line.event == Event::Claim && pids.contains(&line.pid));
    assert!(claims(&ours) && claims(&theirs));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_followed_by_the_other_kind() {
    let mut contest = Contest::open("killed", Duration::from_secs(2)).await;
    let first = contest.contender("ours-0");
    contest.elected("ours", 0, |line| line.pid == first).await;

    // A latch dies while it leads.
    let latch = contest.latch("latch-0").await;
    let led = contest.elected("the latch", boot_ns(), |line| line.pid == latch).await;
    let at = contest.fault("kill", latch);
    contest.latches[0].kill();
    contest.done(latch, Event::Killed);
    contest.latches.clear();
    let next = contest.elected("ours after the latch", at, |line| line.pid == first).await;
    contest.heal();
    within_a_session(at, &next);
    assert!(token(&next) > token(&led), "{next} {led}");

    // One of ours dies while it leads.
    let latch = contest.latch("latch-1").await;
    contest.elected("the second latch", boot_ns(), |line| line.pid == latch).await;
    let led = contest.elected("ours", boot_ns(), |line| line.pid == first).await;
    let at = contest.fault("kill", first);
    contest.contenders[0].kill();
    contest.done(first, Event::Killed);
    contest.contenders.clear();
    let next = contest.elected("the latch after ours", at, |line| line.pid == latch).await;
    contest.heal();
    within_a_session(at, &next);
    assert!(token(&next) > token(&led), "{next} {led}");
    contest.judge().await;
}

/// The latch leads once our session is over; when ours goes on, its first look says that it leads no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_of_ours_that_stood_still_wakes_up_as_none_beside_a_latch() {
    let mut contest = Contest::open("stopped", Duration::from_secs(2)).await;
    let first = contest.contender("ours-0");
    contest.elected("ours", 0, |line| line.pid == first).await;
    let latch = contest.latch("latch-0").await;
    contest.elected("the latch", boot_ns(), |line| line.pid == latch).await;
    let led = contest.elected("ours again", boot_ns(), |line| line.pid == first).await;
    let at = contest.fault("stop", first);
    contest.contenders[0].pause().expect("stops");
    contest.done(first, Event::Stopped);
    let next = contest.elected("the latch after ours", at, |line| line.pid == latch).await;
    within_a_session(at, &next);
    sleep(Duration::from_millis(300)).await;
    contest.done(first, Event::Continued);
    contest.contenders[0].resume().expect("goes on");
    contest.heal();
    let back = contest.elected("ours once more", boot_ns(), |line| line.pid == first).await;
    assert!(token(&led) < token(&next) && token(&next) < token(&back), "{led}, {next}, {back}");
    let lines = contest.judge().await;
    let lost = lines.iter().any(|line| line.event == Event::Lost && line.token == led.token);
    assert!(lost, "the loss is told");
}

fn token(line: &Line) -> u64 {
    line.token.as_ref().map_or(0, |token| token.value)
}

/// A leader's node stands for its session at most, and the server looks for ended ones in ticks.
fn within_a_session(killed: u64, next: &Line) {
    let after = Duration::from_nanos(next.ns.saturating_sub(killed));
    assert!(after <= SESSION + LOAD, "followed after {after:?}");
}
