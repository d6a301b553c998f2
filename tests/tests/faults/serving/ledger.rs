//! What happens in a scenario, written down for the checker, which judges it from the lines alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reception::{ErrorKind, Registration, Snapshot};
use reception_lab::{
    Agent, Proxy, eventually,
    history::{self, Bounds, Details, Event, Line, Recorder, boot_ns},
};
use tempfile::TempDir;

use super::cast::{hold, text};
use crate::{scenario::Outcome, stage::Stage};

/// The history of one scenario. Its only end in a scenario that holds is [`judge`](Self::judge).
#[derive(Debug)]
pub(crate) struct Ledger {
    recorder: Recorder,
    watches: AtomicU32,
    /// The client that the faults hit and whose registrations these are; `None` hits every client of the process.
    client: Option<&'static str>,
    unjudged: Arc<AtomicUsize>,
    folder: TempDir,
}

/// Writes down what one watch shows.
#[derive(Clone, Debug)]
pub(crate) struct Pen {
    recorder: Recorder,
    watch: u32,
}

impl Ledger {
    pub(crate) fn open(stage: &Stage) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(text)?;
        let recorder = Recorder::open(folder.path().join("history")).map_err(text)?;
        let unjudged = Arc::clone(&stage.unjudged);
        unjudged.fetch_add(1, Ordering::Relaxed);
        Ok(Self { recorder, watches: AtomicU32::new(0), client: None, unjudged, folder })
    }

    /// Names the client that the faults hit and whose registrations these are: the watches, which are other clients', are excused by none.
    pub(crate) fn client(self, name: &'static str) -> Self {
        Self { client: Some(name), ..self }
    }

    /// What a line says of whose it is.
    fn own(&self, key: &str) -> Details {
        self.client.map_or_else(Details::new, |client| Details::new().with(key, client))
    }

    fn named(&self, id: impl std::fmt::Display) -> Details {
        self.own("client").with("id", id).with("service", "api")
    }

    /// The file, for other processes that write to it.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("history")
    }

    /// A pen for one more watch, which is opened next: it is judged from here on.
    pub(crate) fn pen(&self) -> Pen {
        let watch = self.watches.fetch_add(1, Ordering::Relaxed) + 1;
        let pen = Pen { recorder: self.recorder.clone(), watch };
        self.write(Event::Watching, pen.details());
        pen
    }

    pub(crate) fn write(&self, event: Event, details: Details) {
        self.recorder.record(event, None, details).expect("the history can be written");
    }

    /// Writes down that these stand.
    pub(crate) fn registered(&self, registrations: &[Registration]) {
        for registration in registrations {
            self.write(Event::Registered, self.named(registration.service().id()));
        }
    }

    /// Closes a registration and writes down how that went.
    pub(crate) async fn withdraw(&self, registration: Registration) -> reception::Result<()> {
        let details = self.named(registration.service().id());
        self.write(Event::Withdrawing, details.clone());
        let answer = registration.close().await;
        self.write(Event::Withdrawn, details.with("ok", answer.is_ok()));
        answer
    }

    /// Drops a registration: nothing tells how the withdrawal goes.
    pub(crate) fn abandon(&self, registration: Registration) {
        let details = self.named(registration.service().id());
        self.write(Event::Withdrawing, details.clone());
        drop(registration);
        self.write(Event::Withdrawn, details.with("ok", false));
    }

    /// A fault begins; a short one must not be noticed by who only looks at the result.
    pub(crate) fn fault(&self, name: &str, short: bool) {
        self.write(Event::Fault, self.own("clients").with("name", name).with("short", short));
    }

    /// Somebody takes away what is registered.
    pub(crate) fn taking(&self, name: &str) {
        self.write(Event::Fault, self.own("clients").with("name", name).with("takes", true));
    }

    /// The fault is over, and all must be well within this.
    pub(crate) fn heal(&self, name: &str, within: Duration) {
        self.write(Event::Heal, Details::new().with("name", name).with("within", within.as_millis()));
    }

    /// Writes down when connections came to a proxy.
    pub(crate) fn arrivals(&self, from: &str, proxy: &Proxy) {
        for ns in proxy.arrivals() {
            let line = self.recorder.record_at(ns, Event::Connect, None, Details::new().with("from", from));
            line.expect("the history can be written");
        }
    }

    /// Kills another process, as of before: where nothing expires the others know before the kill has returned.
    pub(crate) fn kill(&self, process: &Agent) {
        let ns = boot_ns();
        process.kill();
        let line = Line::new(ns, process.pid(), Event::Killed, None, Details::new());
        self.recorder.write(&line).expect("the history can be written");
    }

    /// All lines so far, of all processes.
    pub(crate) fn lines(&self) -> Result<Vec<Line>, String> {
        history::read(self.path()).map_err(text)
    }

    /// Waits for a line.
    pub(crate) async fn until(
        &self,
        what: &str,
        bound: Duration,
        fits: impl Fn(&Line) -> bool + Send + Sync,
    ) -> Result<(), String> {
        let probe = || async { self.lines()?.iter().any(&fits).then_some(()).ok_or_else(String::new) };
        eventually(bound, probe).await.map_err(|late| format!("no {what}: {late}"))
    }

    /// Has everything judged that was written down.
    pub(crate) fn judge(self, bounds: &Bounds) -> Outcome {
        self.unjudged.fetch_sub(1, Ordering::Relaxed);
        let lines = self.lines()?;
        let wrong: Vec<String> = history::check(&lines, bounds).iter().map(ToString::to_string).collect();
        hold(wrong.is_empty(), || wrong.join("\n"))
    }
}

impl Pen {
    fn details(&self) -> Details {
        Details::new().with("watch", self.watch).with("service", "api")
    }

    pub(crate) fn snapshot(&self, view: Option<&Snapshot>) {
        let Some(view) = view else { return };
        let ids = view.iter().map(|service| service.id().to_string());
        let details = self.details().with("version", view.revision()).with_list("ids", ids);
        self.recorder.record(Event::Snapshot, None, details).expect("the history can be written");
    }

    pub(crate) fn kind(&self, event: Event, kind: ErrorKind) {
        let details = self.details().with("kind", format!("{kind:?}"));
        self.recorder.record(event, None, details).expect("the history can be written");
    }
}
