//! A watch that a task of its own follows, with what it has shown so far.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use reception::{Change, Client, ClientExt as _, ErrorKind, Snapshot, Watcher};
use reception_lab::{eventually, history::Event};
use tokio::{task::JoinSet, time::Instant};

use super::{
    cast::{Ids, PATIENCE, api, ids_of, text},
    ledger::{Ledger, Pen},
};

/// What a watch has shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) view: Option<Snapshot>,
    pub(crate) ids: Ids,
    /// Nothing good has come since the last Stale.
    pub(crate) stale: bool,
    pub(crate) stales: Vec<ErrorKind>,
    pub(crate) resets: usize,
    pub(crate) items: usize,
    /// How often each id went away.
    pub(crate) removals: BTreeMap<String, u32>,
    /// How the stream ended.
    pub(crate) ended: Option<String>,
}

impl Seen {
    /// Fresh, and showing this set.
    pub(crate) fn shows(&self, ids: &Ids) -> bool {
        !self.stale && self.ended.is_none() && self.ids == *ids
    }

    fn short(&self) -> String {
        let Self { ids, stale, stales, resets, removals, ended, .. } = self;
        format!(
            "{} ids {ids:?}, stale {stale} after {stales:?}, {resets} resets, removals {removals:?}, ended {ended:?}",
            ids.len()
        )
    }

    fn take(&mut self, change: &Change, view: Option<&Snapshot>) {
        self.items += 1;
        match change {
            Change::Stale(error) => {
                self.stale = true;
                self.stales.push(error.kind());
                return;
            }
            Change::Reset(_) => self.resets += 1,
            _ => {}
        }
        self.stale = false;
        let ids = view.map(ids_of).unwrap_or_default();
        for gone in self.ids.difference(&ids) {
            *self.removals.entry(gone.clone()).or_default() += 1;
        }
        self.ids = ids;
        self.view = view.cloned();
    }
}

/// A followed watch; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Sight {
    name: String,
    seen: Arc<Mutex<Seen>>,
    _task: JoinSet<()>,
}

impl Sight {
    /// Watches the service and waits for the first view. That its stream is open shows in the change after it: one that breaks before has
    /// nothing to tell.
    pub(crate) async fn open(client: &Arc<dyn Client>, name: &str) -> Result<Self, String> {
        Self::begin(client, name, None).await?.first().await
    }

    /// Watches the service, waits for the first view, and writes down what comes.
    pub(crate) async fn record(
        client: &Arc<dyn Client>,
        name: &str,
        ledger: &Ledger,
    ) -> Result<Self, String> {
        Self::begin(client, name, Some(ledger.pen())).await?.first().await
    }

    /// Watches the service.
    pub(crate) async fn begin(
        client: &Arc<dyn Client>,
        name: &str,
        pen: Option<Pen>,
    ) -> Result<Self, String> {
        let watcher = client.watch(&api()).await.map_err(text)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut task = JoinSet::new();
        task.spawn(follow(watcher, Arc::clone(&seen), pen));
        Ok(Self { name: name.to_owned(), seen, _task: task })
    }

    async fn first(self) -> Result<Self, String> {
        self.until("first view", PATIENCE, |seen| seen.resets > 0).await?;
        Ok(self)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Seen {
        self.lock().clone()
    }

    /// Waits until what was seen fits: how long that took.
    pub(crate) async fn until(
        &self,
        what: &str,
        bound: Duration,
        fits: impl Fn(&Seen) -> bool + Send + Sync,
    ) -> Result<Duration, String> {
        let begun = Instant::now();
        let probe = || async {
            let seen = self.lock();
            if fits(&seen) { Ok(()) } else { Err(()) }
        };
        let waited = eventually(bound, probe).await;
        let late = |_| format!("{}: no {what} within {bound:?}; {}", self.name, self.lock().short());
        waited.map(|()| begun.elapsed()).map_err(late)
    }

    /// Waits until it shows this set and is not stale.
    pub(crate) async fn shows(&self, what: &str, ids: &Ids, bound: Duration) -> Result<Duration, String> {
        self.until(what, bound, |seen| seen.shows(ids)).await
    }

    /// Says so when an id went away more often than `most`, or the stream ended.
    pub(crate) fn flapped(&self, most: u32) -> Result<(), String> {
        let seen = self.lock();
        let flapped = seen.ended.is_some() || seen.removals.values().any(|times| *times > most);
        if flapped { Err(format!("{}: it flapped: {}", self.name, seen.short())) } else { Ok(()) }
    }
}

async fn follow(mut watcher: Box<dyn Watcher>, seen: Arc<Mutex<Seen>>, pen: Option<Pen>) {
    while let Some(item) = watcher.next().await {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match item {
            Ok(change) => {
                seen.take(&change, watcher.current());
                let Some(pen) = &pen else { continue };
                match change {
                    Change::Stale(error) => pen.kind(Event::Stale, error.kind()),
                    _ => pen.snapshot(seen.view.as_ref()),
                }
            }
            Err(error) => {
                seen.ended = Some(error.to_string());
                if let Some(pen) = &pen {
                    pen.kind(Event::Ended, error.kind());
                }
            }
        }
    }
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.ended.get_or_insert_with(|| "it ended without a word".to_owned());
}
