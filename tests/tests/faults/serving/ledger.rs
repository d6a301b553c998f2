//! What happens in a scenario, written down for the checker, which judges it from the lines alone.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use reception::{ErrorKind, Registration, Snapshot};
use reception_lab::history::{Details, Event, Recorder};
use tempfile::TempDir;

use super::cast::text;

/// The history of one scenario.
#[derive(Debug)]
pub(crate) struct Ledger {
    recorder: Recorder,
    watches: AtomicU32,
    folder: TempDir,
}

/// Writes down what one watch shows.
#[derive(Clone, Debug)]
pub(crate) struct Pen {
    recorder: Recorder,
    watch: u32,
}

impl Ledger {
    pub(crate) fn open() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(text)?;
        let recorder = Recorder::open(folder.path().join("history")).map_err(text)?;
        Ok(Self { recorder, watches: AtomicU32::new(0), folder })
    }

    /// The file, for other processes that write to it.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("history")
    }

    /// A pen for one more watch.
    pub(crate) fn pen(&self) -> Pen {
        let watch = self.watches.fetch_add(1, Ordering::Relaxed) + 1;
        Pen { recorder: self.recorder.clone(), watch }
    }

    pub(crate) fn write(&self, event: Event, details: Details) {
        self.recorder.record(event, None, details).expect("the history can be written");
    }

    /// Writes down that these stand.
    pub(crate) fn registered(&self, registrations: &[Registration]) {
        for registration in registrations {
            self.write(Event::Registered, named(&registration.service().id()));
        }
    }

    /// Closes a registration and writes down how that went.
    pub(crate) async fn withdraw(&self, registration: Registration) -> reception::Result<()> {
        let details = named(registration.service().id());
        self.write(Event::Withdrawing, details.clone());
        let answer = registration.close().await;
        self.write(Event::Withdrawn, details.with("ok", answer.is_ok()));
        answer
    }

    /// A fault begins; a short one must not be noticed by who only looks at the result.
    pub(crate) fn fault(&self, name: &str, short: bool) {
        self.write(Event::Fault, Details::new().with("name", name).with("short", short));
    }

    /// The fault is over, and all must be well within this.
    pub(crate) fn heal(&self, within: Duration) {
        self.write(Event::Heal, Details::new().with("within", within.as_millis()));
    }
}

fn named(id: impl std::fmt::Display) -> Details {
    Details::new().with("id", id).with("service", "api")
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
