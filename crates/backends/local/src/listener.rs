//! When to look at which file: on notices, again after a death that the lock did not show yet, and unasked from time to time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use reception_core::{Clock, Moment};
use reception_kit::sleep_until;

use crate::notices::Ear;

/// A dying process closes its files one by one, and tells of each before the lock on it is gone: look again after these spans.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(2),
    Duration::from_millis(8),
    Duration::from_millis(25),
    Duration::from_millis(55),
];

/// How often the folder itself is looked at: whether it is still the one that is listened to, and whether a notice was lost.
const GLANCE: Duration = Duration::from_secs(1);
/// How often all files are looked at, in case that every other sign was lost.
const REVIEW: Duration = if cfg!(target_os = "linux") { Duration::from_secs(10) } else { GLANCE };
/// How often all files are looked at where no notices can be had.
const DEAF_REVIEW: Duration = Duration::from_millis(200);

/// What to look at now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Files(BTreeSet<String>),
    /// The folder itself.
    Glance,
    /// All files.
    Review,
    /// All files, and listen from the beginning: notices were lost, or never came.
    Anew,
}

/// Decides when to look at what.
#[derive(Debug)]
pub(crate) struct Listener {
    ear: Ear,
    /// Files whose owner may be dead: when to look again, and how often that was done.
    suspects: BTreeMap<String, (Moment, usize)>,
    glance_at: Moment,
    review_at: Moment,
}

impl Listener {
    pub(crate) fn new(ear: Ear) -> Self {
        let now = Clock::BOOT.now();
        let mut listener = Self { ear, suspects: BTreeMap::new(), glance_at: now, review_at: now };
        listener.reviewed();
        listener
    }

    /// All files have been looked at.
    pub(crate) fn reviewed(&mut self) {
        let now = Clock::BOOT.now();
        let span = if self.ear.is_deaf() { DEAF_REVIEW } else { REVIEW };
        self.review_at = now.saturating_add(span);
        self.glance_at = now.saturating_add(GLANCE.min(span));
    }

    /// Notices were lost, the one of a death perhaps whose lock was not gone at the look that followed: another look at all files is due soon.
    pub(crate) fn review_soon(&mut self) {
        if !self.ear.is_deaf() {
            let span: Duration = AGAIN.iter().sum();
            self.review_at = self.review_at.min(Clock::BOOT.now().saturating_add(span));
        }
    }

    /// Waits until something has to be looked at. Cancel safe.
    pub(crate) async fn next(&mut self) -> Look {
        let suspect = self.suspects.values().map(|(at, _)| *at).min().unwrap_or(Moment::NEVER);
        let due = suspect.min(self.glance_at).min(self.review_at);
        tokio::select! {
            biased;
            heard = self.ear.listen() => {
                if heard.gap {
                    return Look::Anew;
                }
                let now = Clock::BOOT.now();
                for (file, _) in heard.files.iter().filter(|(_, closed)| **closed) {
                    self.suspects.insert(file.clone(), (now.saturating_add(AGAIN[0]), 0));
                }
                Look::Files(heard.files.into_keys().collect())
            }
            () = sleep_until(&Clock::BOOT, due) => self.timed(),
        }
    }

    fn timed(&mut self) -> Look {
        let now = Clock::BOOT.now();
        if now >= self.review_at {
            return if self.ear.is_deaf() { Look::Anew } else { Look::Review };
        }
        let due: BTreeSet<String> =
            self.suspects.iter().filter(|(_, (at, _))| now >= *at).map(|(file, _)| file.clone()).collect();
        if due.is_empty() {
            self.glance_at = now.saturating_add(GLANCE);
            return Look::Glance;
        }
        self.suspects.retain(|_, (at, times)| {
            if now < *at {
                return true;
            }
            *times += 1;
            AGAIN.get(*times).is_some_and(|span| {
                *at = now.saturating_add(*span);
                true
            })
        });
        Look::Files(due)
    }

    /// A file needs no second look.
    pub(crate) fn settled(&mut self, file: &str) {
        self.suspects.remove(file);
    }
}
