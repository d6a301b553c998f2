//! What the session tells each registration: how it goes, and that something of it is gone.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use reception_core::{Error, Moment};
use tokio::sync::watch;
use uuid::Uuid;

/// What is told last.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Fine,
    Doubtful(Error),
    /// Write again.
    Lost(Error),
}

#[derive(Debug)]
struct End {
    /// The id in Consul.
    id: String,
    /// Since when it stands, as far as we know.
    settled: Option<Moment>,
    /// Which token it was written with.
    turn: u64,
    /// It has a check that states its status.
    stated: bool,
    /// Its check fails, as the agent finds by itself.
    fails: Option<Error>,
    /// Its withdrawal began then.
    leaving: Option<Moment>,
    tell: watch::Sender<Line>,
}

impl End {
    /// Whether it stood before `asked`, and nobody has seen it.
    fn is_missed(&self, owner: Uuid, asked: Moment, seen: impl Fn(&str, Uuid, bool) -> bool) -> bool {
        self.settled.is_some_and(|settled| settled < asked) && !seen(&self.id, owner, self.stated)
    }
}

/// The registrations of one client.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<BTreeMap<Uuid, End>>);

impl Lines {
    fn table(&self) -> MutexGuard<'_, BTreeMap<Uuid, End>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self, owner: Uuid, id: &str) -> watch::Receiver<Line> {
        let (tell, hear) = watch::channel(Line::Fine);
        self.table().insert(
            owner,
            End {
                id: id.to_owned(),
                settled: None,
                turn: 0,
                stated: false,
                fails: None,
                leaving: None,
                tell,
            },
        );
        hear
    }

    pub(crate) fn close(&self, owner: Uuid) {
        self.table().remove(&owner);
    }

    /// From now on it has to be found where it was written; `None` when it need not.
    pub(crate) fn settle(&self, owner: Uuid, at: Option<Moment>) {
        if let Some(end) = self.table().get_mut(&owner) {
            end.settled = at;
            if at.is_some() {
                end.tell.send_replace(end.fails.clone().map_or(Line::Fine, Line::Doubtful));
            }
        }
    }

    /// It is written with this token, and with a check that states its status or without one.
    pub(crate) fn write(&self, owner: Uuid, turn: u64, stated: bool) {
        if let Some(end) = self.table().get_mut(&owner) {
            (end.turn, end.stated) = (turn, stated);
        }
    }

    /// Its withdrawal begins.
    pub(crate) fn leave(&self, owner: Uuid, at: Moment) {
        if let Some(end) = self.table().get_mut(&owner) {
            end.leaving.get_or_insert(at);
        }
    }

    /// What should have been withdrawn by now, and was not, with its id in Consul.
    pub(crate) fn overdue(&self, begun_before: Moment) -> Vec<(Uuid, String)> {
        let table = self.table();
        let overdue = table.iter().filter(|(_, end)| end.leaving.is_some_and(|begun| begun < begun_before));
        overdue.map(|(owner, end)| (*owner, end.id.clone())).collect()
    }

    /// It was withdrawn.
    pub(crate) fn left(&self, owner: Uuid) {
        if let Some(end) = self.table().get_mut(&owner) {
            end.leaving = None;
        }
    }

    /// All, each with its id in Consul.
    pub(crate) fn ids(&self) -> Vec<(Uuid, String)> {
        self.table().iter().map(|(owner, end)| (*owner, end.id.clone())).collect()
    }

    /// Whether anybody here is this owner.
    pub(crate) fn has(&self, owner: Uuid) -> bool {
        self.table().contains_key(&owner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table().is_empty()
    }

    pub(crate) fn tell(&self, owner: Uuid, line: Line) {
        if let Some(end) = self.table().get(&owner) {
            end.tell.send_replace(line);
        }
    }

    /// Tells one that stands to write again.
    pub(crate) fn awaken(&self, owner: Uuid, failed: Error) {
        if let Some(end) = self.table().get_mut(&owner).filter(|end| end.settled.is_some()) {
            end.settled = None;
            end.tell.send_replace(Line::Lost(failed));
        }
    }

    /// Tells everyone how it goes; that all is fine only to those who were told otherwise, and nothing to those who have to write again.
    pub(crate) fn tell_all(&self, line: &Line) {
        for end in self.table().values() {
            let news = !matches!((&*end.tell.borrow(), line), (Line::Fine, Line::Fine) | (Line::Lost(_), _));
            if news && !(end.fails.is_some() && matches!(line, Line::Fine)) {
                end.tell.send_replace(line.clone());
            }
        }
    }

    /// Tells everyone to write again.
    pub(crate) fn lose_all(&self, lost: &Error) {
        for end in self.table().values() {
            end.tell.send_replace(Line::Lost(lost.clone()));
        }
    }

    /// Tells those who stand by an older token to write again.
    pub(crate) fn lose_older(&self, turn: u64, lost: &Error) {
        for end in self.table().values_mut().filter(|end| end.turn < turn && end.settled.is_some()) {
            end.settled = None;
            end.tell.send_replace(Line::Lost(lost.clone()));
        }
    }

    /// Tells whose check fails now, and whose does no more; nothing where nobody knows.
    pub(crate) fn judge(&self, fails: impl Fn(Uuid) -> Option<bool>, why: &Error) {
        for (owner, end) in self.table().iter_mut().filter(|(_, end)| end.settled.is_some()) {
            match fails(*owner) {
                Some(true) if end.fails.is_none() => {
                    end.fails = Some(why.clone());
                    end.tell.send_replace(Line::Doubtful(why.clone()));
                }
                Some(false) if end.fails.take().is_some() => drop(end.tell.send_replace(Line::Fine)),
                _ => {}
            }
        }
    }

    /// Whether somebody's check failed when they were looked at last.
    pub(crate) fn any_fails(&self) -> bool {
        self.table().values().any(|end| end.fails.is_some())
    }

    /// Whether its check failed when it was looked at last.
    pub(crate) fn fails(&self, owner: Uuid) -> bool {
        self.table().get(&owner).is_some_and(|end| end.fails.is_some())
    }

    /// Whether all who stood before `asked` were seen.
    pub(crate) fn all(&self, asked: Moment, seen: impl Fn(&str, Uuid, bool) -> bool) -> bool {
        !self.table().iter().any(|(owner, end)| end.is_missed(*owner, asked, &seen))
    }

    /// Tells those who stood before `asked` and whom nobody has seen.
    pub(crate) fn compare(&self, asked: Moment, seen: impl Fn(&str, Uuid, bool) -> bool, lost: &Error) {
        for (owner, end) in self.table().iter_mut() {
            if end.is_missed(*owner, asked, &seen) {
                end.settled = None;
                end.tell.send_replace(Line::Lost(lost.clone()));
            }
        }
    }
}
