//! The field of one scenario: contenders in processes of their own, each behind a proxy of its own, one history and one fenced store.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use reception::{Client, ClientExt as _, ElectionName, Elector};
use reception_lab::{
    Agent, ConsulApi, FencedStore, Proxy, eventually,
    history::{Details, Event, Line, Reader, Recorder, boot_ns},
};
use reception_tests::PATIENCE;

use super::judge;
pub(crate) use crate::scenario::{hold as must, text as told};
use crate::{scenario::Outcome, stage::Stage};

/// What a busy machine may add to a bound that was measured on a quiet one.
pub(crate) const LOAD: Duration = Duration::from_millis(500);

/// How long the news that a claim was taken early may take.
pub(crate) const WORD: Duration = Duration::from_millis(500);

/// The longest pause between two tries of a client.
pub(crate) const BACKOFF: Duration = Duration::from_secs(5);

/// The span between two times since boot; zero when the second is earlier.
pub(crate) fn between(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

/// One contender and the way that it reaches the server.
pub(crate) struct Rival {
    pub(crate) agent: Agent,
    pub(crate) proxy: Proxy,
    pub(crate) id: String,
}

/// Everything that one scenario plays with.
pub(crate) struct Field {
    namespace: String,
    asked: Duration,
    /// The ttl that the store grants.
    pub(crate) ttl: Duration,
    spread: Duration,
    slack: Duration,
    path: PathBuf,
    recorder: Recorder,
    pub(crate) reader: Reader,
    /// What has happened so far, as far as it was read.
    pub(crate) lines: Vec<Line>,
    store: FencedStore,
    pub(crate) rivals: Vec<Rival>,
    /// The driver's own client, straight to the server.
    pub(crate) client: Arc<dyn Client>,
    pub(crate) elector: Box<dyn Elector>,
    started: usize,
    /// How long two may lead at once after a claim was taken early; none for the checker's own bound.
    pub(crate) overlap: Option<Duration>,
    sessions: Option<ConsulApi>,
}

impl Field {
    /// The election of every field.
    pub(crate) const ELECTION: &str = "red";

    /// An empty field; its history is named after the scenario.
    pub(crate) async fn open(stage: &Stage, name: &str, asked: Duration) -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
        fs::create_dir_all(&folder).map_err(told)?;
        let path = folder.join(format!("{name}-{}.history", std::process::id()));
        drop(fs::remove_file(&path));
        let recorder = Recorder::open(&path).map_err(told)?;
        let reader = Reader::open(&path).map_err(told)?;
        let store = FencedStore::start_recording(recorder.clone()).await.map_err(told)?;
        let namespace = name.to_owned();
        let election: ElectionName = Self::ELECTION.parse().map_err(told)?;
        let client = reception::dial(&stage.direct(&namespace, asked)).await.map_err(told)?;
        let elector = client.elector(&election).await.map_err(told)?;
        Ok(Self {
            namespace,
            asked,
            ttl: stage.stand.granted(asked),
            slack: stage.stand.expiry_slack(),
            path,
            recorder,
            reader,
            lines: Vec::new(),
            store,
            rivals: Vec::new(),
            client,
            elector,
            started: 0,
            overlap: None,
            sessions: stage.stand.sessions(),
            spread: stage.stand.spread(),
        })
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    // ---- bounds ------------------------------------------------------------------------------------------------

    /// How long before the store's deadline a leader steps down.
    pub(crate) fn margin(&self) -> Duration {
        (self.ttl / 10).max(Duration::from_millis(200))
    }

    /// From the last renewal to the end of the leadership.
    pub(crate) fn deadline(&self) -> Duration {
        self.ttl.saturating_sub(self.margin())
    }

    /// From the end of all renewals to the next leader.
    pub(crate) fn failover(&self) -> Duration {
        self.ttl + self.slack + Duration::from_millis(500) + LOAD
    }

    // ---- who plays ---------------------------------------------------------------------------------------------

    /// Starts `count` contenders one after another, each in line before the next starts.
    pub(crate) async fn join(&mut self, stage: &mut Stage, count: usize, more: &[&str]) -> Outcome {
        for _ in 0..count {
            let id = self.enter(stage, more).await?;
            self.in_line(&id, PATIENCE).await?;
        }
        Ok(())
    }

    /// Starts a contender; answers its id.
    pub(crate) async fn enter(&mut self, stage: &mut Stage, more: &[&str]) -> Result<String, String> {
        let id = format!("c{}", self.started);
        self.started += 1;
        let proxy = stage.proxy().await;
        let url = stage.through(proxy.endpoint(), &self.namespace, self.asked);
        let (history, fence) = (self.path.display().to_string(), self.store.endpoint().to_string());
        let given = ["--url", &url, "--history", &history, "--id", &id, "--fence", &fence];
        let words = given.iter().chain(&["--election", Self::ELECTION]).chain(more);
        let agent = Agent::start(env!("CARGO_BIN_EXE_contender"), words.map(|word| (*word).to_owned()))
            .map_err(told)?;
        self.rivals.push(Rival { agent, proxy, id: id.clone() });
        Ok(id)
    }

    /// Waits until the store has this candidate.
    pub(crate) async fn in_line(&self, id: &str, limit: Duration) -> Outcome {
        let living = self.rivals.iter().filter(|rival| rival.agent.exited().is_none()).count();
        let stands = || async {
            if let Some(api) = &self.sessions {
                let told = api.get("/v1/session/list").await.map_err(told)?.body;
                let count = told.matches("\"LockDelay\"").count();
                return must(count >= living, || format!("{count} sessions of {living} candidates"));
            }
            let candidates = self.elector.candidates().await.map_err(told)?;
            let found = candidates
                .iter()
                .filter_map(|candidate| candidate.service())
                .any(|service| service.id().as_ref() == id);
            must(found, || format!("{} candidates", candidates.len()))
        };
        eventually(limit, stands).await.map_err(|late| format!("{id} is not in line: {late}"))
    }

    /// The contender of this process.
    pub(crate) fn rival(&self, pid: u32) -> Result<&Rival, String> {
        let found = self.rivals.iter().find(|rival| rival.agent.pid() == pid);
        found.ok_or_else(|| format!("{pid} is none of the contenders"))
    }

    /// All process ids but one.
    pub(crate) fn others(&self, pid: u32) -> Vec<u32> {
        let pids = self.rivals.iter().map(|rival| rival.agent.pid());
        pids.filter(|other| *other != pid).collect()
    }

    // ---- what is done to them ----------------------------------------------------------------------------------

    /// Writes down that a fault begins for these; answers when.
    pub(crate) fn fault(&self, name: &str, pids: &[u32], flags: &[&str]) -> Result<u64, String> {
        let ns = boot_ns();
        let details = Details::new().with("name", name).with_list("pids", pids);
        let details = flags.iter().fold(details, |details, flag| details.with(flag, true));
        self.write(ns, std::process::id(), Event::Fault, details)?;
        Ok(ns)
    }

    /// Writes down that the fault is over, and that everything must be well after `within`.
    pub(crate) fn heal(&self, within: Duration) -> Result<u64, String> {
        let ns = boot_ns();
        self.write(ns, std::process::id(), Event::Heal, Details::new().with("within", within.as_millis()))?;
        Ok(ns)
    }

    pub(crate) fn kill(&mut self, pid: u32) -> Outcome {
        // Where nothing expires the others know before the kill has returned.
        let ns = boot_ns();
        self.rival(pid)?.agent.kill();
        self.write(ns, pid, Event::Killed, Details::new())?;
        self.tell_connections(self.rival(pid)?)?;
        self.rivals.retain(|rival| rival.agent.pid() != pid);
        Ok(())
    }

    pub(crate) fn pause(&self, pid: u32) -> Outcome {
        self.write(boot_ns(), pid, Event::Stopped, Details::new())?;
        self.rival(pid)?.agent.pause().map_err(told)
    }

    /// Answers when: nothing that it did later was done before the stop.
    pub(crate) fn resume(&self, pid: u32) -> Result<u64, String> {
        let ns = boot_ns();
        self.write(ns, pid, Event::Continued, Details::new())?;
        self.rival(pid)?.agent.resume().map_err(told)?;
        Ok(ns)
    }

    /// Writes down when this one connected.
    fn tell_connections(&self, rival: &Rival) -> Outcome {
        let from = || Details::new().with("from", &rival.id);
        let mut arrivals = rival.proxy.arrivals().into_iter();
        arrivals.try_for_each(|ns| self.write(ns, rival.agent.pid(), Event::Connect, from()))
    }

    fn write(&self, ns: u64, pid: u32, event: Event, details: Details) -> Outcome {
        self.recorder.write(&Line::new(ns, pid, event, None, details)).map_err(told)
    }

    // ---- the end -----------------------------------------------------------------------------------------------

    /// Ends all in order, looks what is left, and has the history judged. A history that does not pass is kept.
    pub(crate) async fn close(mut self, stage: &Stage, played: Outcome) -> Outcome {
        let ended = match &played {
            Ok(()) => self.leave(stage).await,
            Err(_) => Ok(()),
        };
        let judged =
            self.read().and_then(|()| judge::judge(&self.lines, (self.ttl, self.spread), self.overlap));
        let wrong: Vec<String> = [played, ended, judged].into_iter().filter_map(Result::err).collect();
        if wrong.is_empty() {
            drop(fs::remove_file(&self.path));
            return Ok(());
        }
        Err(format!("{}\nhistory: {}", wrong.join("\n"), self.path.display()))
    }

    /// Lets everybody end in order.
    pub(crate) async fn dismiss(&mut self) -> Outcome {
        let ends = self.rivals.iter().map(|rival| async move {
            let status = rival.agent.terminate().await.map_err(told)?;
            must(status.success(), || format!("{} ended with {status}: {}", rival.id, rival.agent.logs()))
        });
        join_all(ends).await.into_iter().collect::<Outcome>()?;
        self.rivals.iter().try_for_each(|rival| self.tell_connections(rival))?;
        self.rivals.clear();
        Ok(())
    }

    async fn leave(&mut self, stage: &Stage) -> Outcome {
        self.dismiss().await?;
        self.client.close().await.map_err(told)?;
        // What was killed goes with its lease.
        let nothing = || async {
            let left = stage.stand.residue(&self.namespace).await.map_err(told)?;
            must(left.is_empty(), || format!("{left:?}"))
        };
        let gone = eventually(self.failover() + self.ttl, nothing).await;
        let count = u32::from(gone.is_err());
        self.write(
            boot_ns(),
            std::process::id(),
            Event::Residue,
            Details::new().with("what", "store").with("count", count),
        )?;
        gone.map_err(|late| format!("something is left in the store: {late}"))
    }
}
