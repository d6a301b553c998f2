//! Watches of many own keys at once: one from the first to the last of a service.
//!
//! A thousand own keys of a service are a message and not a thousand. What others write between them is told as well; when that becomes
//! more than the keys themselves are worth, each is watched by itself again. A span tells no less than single watches would: it
//! begins no later than each of its keys.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use etcd_client::WatchResponse;

use crate::session::{Position, Range, is_gone};

/// From so many new keys of a service on they are watched together.
pub(super) const CROWD: usize = 8;
/// So many records of others are no trouble, however few our own are.
const STRANGERS: usize = 64;

/// The spans of one stream.
#[derive(Debug, Default)]
pub(super) struct Spans {
    open: BTreeMap<i64, Span>,
    /// Services of which others write much between our keys.
    noisy: BTreeSet<String>,
    /// Services of which the server lets us watch our own keys only.
    refused: BTreeSet<String>,
}

#[derive(Debug)]
struct Span {
    service: String,
    first: String,
    last: String,
    /// Keys and who looks at them: two do while one registration follows another.
    eyes: BTreeSet<(String, i64)>,
    /// Everything up to here has been told.
    told: i64,
    strangers: usize,
}

/// What a message says about one key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) eye: i64,
    pub(super) revision: i64,
    /// None when the key is gone.
    pub(super) lease: Option<i64>,
}

/// The service that a key belongs to, as the beginning of the key.
pub(super) fn service_of(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(service, _)| service)
}

impl Spans {
    /// Whether so many new keys of a service are to be watched together.
    pub(super) fn gathers(&self, service: &str, keys: usize) -> bool {
        keys >= CROWD && !self.noisy.contains(service) && !self.refused.contains(service)
    }

    fn of(&self, service: &str) -> Option<i64> {
        self.open.iter().find(|(_, span)| span.service == service).map(|(watch, _)| *watch)
    }

    /// Takes a key into an open span that covers it and has told of nothing that happened since `from`.
    pub(super) fn take_in(&mut self, key: &str, eye: i64, from: i64) -> Option<i64> {
        let watch = self.of(service_of(key))?;
        let span = self.open.get_mut(&watch)?;
        let covers = span.first.as_str() <= key && key <= span.last.as_str() && span.told < from;
        covers.then(|| {
            span.eyes.insert((key.to_owned(), eye));
            watch
        })
    }

    /// A span of these keys and those of the one that it takes the place of, which it names. It begins before anything that is to be told.
    pub(super) fn widen(
        &mut self,
        watch: i64,
        eyes: BTreeSet<(String, i64)>,
        from: i64,
    ) -> (Range, Option<i64>) {
        let service = eyes.first().map_or("", |(key, _)| service_of(key)).to_owned();
        let old = self.of(&service);
        let mut span =
            Span { service, first: String::new(), last: String::new(), eyes, told: from - 1, strangers: 0 };
        if let Some(before) = old.and_then(|old| self.open.remove(&old)) {
            span.told = span.told.min(before.told);
            span.strangers = before.strangers;
            span.eyes.extend(before.eyes);
        }
        span.first = span.eyes.first().map(|(key, _)| key.clone()).unwrap_or_default();
        span.last = span.eyes.last().map(|(key, _)| key.clone()).unwrap_or_default();
        let mut end = span.last.clone().into_bytes();
        end.push(0);
        let range =
            Range { watch, key: span.first.clone().into_bytes(), end: Some(end), from: span.told + 1 };
        self.open.insert(watch, span);
        (range, old)
    }

    pub(super) fn eyes(&self, watch: i64) -> Vec<i64> {
        self.open.get(&watch).map(|span| span.eyes.iter().map(|(_, eye)| *eye).collect()).unwrap_or_default()
    }

    /// Nobody looks through this eye any more; whether nobody needs the span.
    pub(super) fn leave(&mut self, watch: i64, key: &str, eye: i64) -> bool {
        let Some(span) = self.open.get_mut(&watch) else { return false };
        span.eyes.remove(&(key.to_owned(), eye));
        let empty = span.eyes.is_empty();
        if empty {
            self.open.remove(&watch);
        }
        empty
    }

    /// What a message of a span tells to whom; none when it is of another watch. `own` knows the keys that this client wants.
    pub(super) fn hear(&mut self, answer: &WatchResponse, own: impl Fn(&[u8]) -> bool) -> Option<Vec<Told>> {
        let span = self.open.get_mut(&answer.watch_id())?;
        let mut told = Vec::new();
        for event in answer.events() {
            let Some(kv) = event.kv() else { continue };
            let (revision, gone) = (kv.mod_revision(), is_gone(event));
            // More of the same revision may follow.
            span.told = span.told.max(revision - 1);
            let key = String::from_utf8_lossy(kv.key()).into_owned();
            let looking = span.eyes.range((key.clone(), i64::MIN)..=(key, i64::MAX));
            let before = told.len();
            told.extend(looking.map(|(_, eye)| Told {
                eye: *eye,
                revision,
                lease: (!gone).then_some(kv.lease()),
            }));
            if told.len() == before && !gone && !own(kv.key()) {
                span.strangers += 1;
            }
        }
        if answer.events().is_empty() && !answer.created() {
            span.told = span.told.max(Position::of(answer.header()).revision);
        }
        Some(told)
    }

    /// Gives up a span in which others write more than its keys are worth: who looked through it, and up to where.
    pub(super) fn give_up(&mut self, watch: i64) -> Option<(Vec<i64>, i64)> {
        let span = self.open.get(&watch)?;
        if span.strangers <= STRANGERS.max(span.eyes.len() * 2) {
            return None;
        }
        let span = self.open.remove(&watch)?;
        self.noisy.insert(span.service);
        Some((span.eyes.into_iter().map(|(_, eye)| eye).collect(), span.told))
    }

    /// The server refuses to show the whole of this span, or of one that it does not name; whether that is news.
    pub(super) fn refuse(&mut self, watch: i64) -> bool {
        let known = self.open.contains_key(&watch);
        let meant = self.open.iter().filter(|(open, _)| !known || **open == watch);
        let before = self.refused.len();
        self.refused.extend(meant.map(|(_, span)| span.service.clone()));
        self.refused.len() > before
    }

    /// What was told after `revision` counts no more; whether there was any.
    pub(super) fn untell(&mut self, revision: i64) -> bool {
        let mut any = false;
        for span in self.open.values_mut().filter(|span| span.told > revision) {
            (span.told, any) = (0, true);
        }
        any
    }

    /// The stream has ended: who looked through a span, and up to where it told. Noise may have passed by the next stream.
    pub(super) fn end(&mut self) -> Vec<(i64, i64)> {
        self.noisy.clear();
        let open = std::mem::take(&mut self.open).into_values();
        open.flat_map(|span| span.eyes.into_iter().map(move |(_, eye)| (eye, span.told))).collect()
    }
}
