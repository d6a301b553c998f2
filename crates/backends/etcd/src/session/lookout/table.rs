//! The keys to look at, and by which watches.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::{
    Order, Seen,
    spans::{Spans, service_of},
};
use crate::session::{Position, Range};

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) keys: BTreeMap<i64, Key>,
    pub(super) next: i64,
    pub(super) running: bool,
    /// Watches that the open stream does not have yet, and those it has in vain.
    pub(super) fresh: Vec<i64>,
    pub(super) left: Vec<i64>,
    pub(super) spans: Spans,
    /// The term of the store's leader that was told last.
    pub(super) term: u64,
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) key: String,
    pub(super) from: i64,
    /// A span on an earlier stream has told of everything up to here.
    pub(super) told: i64,
    /// The span that it is watched in; none when it is watched by itself.
    pub(super) span: Option<i64>,
    /// The lease that the record is on as far as its owner knows; zero for none.
    pub(super) lease: i64,
    pub(super) seen: watch::Sender<Option<Seen>>,
}

impl Table {
    /// What to ask for so as to look at these: a crowd of one service together, each other one by itself.
    pub(super) fn plan(&mut self, eyes: Vec<i64>) -> Vec<Order> {
        let mut services: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for eye in eyes {
            if let Some(key) = self.keys.get_mut(&eye) {
                key.span = self.spans.take_in(&key.key, eye, key.start());
                if key.span.is_none() {
                    services.entry(service_of(&key.key).to_owned()).or_default().push(eye);
                }
            }
        }
        let mut orders = Vec::new();
        for (service, eyes) in services {
            if self.spans.gathers(&service, eyes.len()) {
                let (range, old) = self.widen(&eyes);
                orders.push(Order::Add(range));
                orders.extend(old.map(Order::Remove));
            } else {
                let range = |eye| self.keys.get(&eye).map(|key| Order::Add(key.range(eye)));
                orders.extend(eyes.into_iter().filter_map(range));
            }
        }
        orders
    }

    /// The store has yet to come to what was told after `revision`: it counts no more; whether there was any.
    pub(super) fn untell(&mut self, revision: i64) -> bool {
        let mut any = self.spans.untell(revision);
        for key in self.keys.values_mut().filter(|key| key.told > revision) {
            (key.told, any) = (0, true);
        }
        any
    }

    fn widen(&mut self, eyes: &[i64]) -> (Range, Option<i64>) {
        self.next += 1;
        let watch = self.next;
        let keys = eyes.iter().filter_map(|eye| self.keys.get(eye).map(|key| (*eye, key)));
        let from = keys.clone().map(|(_, key)| key.start()).min().unwrap_or_default();
        let members = keys.map(|(eye, key)| (key.key.clone(), eye)).collect();
        let (range, old) = self.spans.widen(watch, members, from);
        for eye in self.spans.eyes(watch) {
            if let Some(key) = self.keys.get_mut(&eye) {
                key.span = Some(watch);
            }
        }
        (range, old)
    }

    /// Looks at each key by itself where others write too much between them; the next orders say so.
    pub(super) fn quieten(&mut self, watch: i64) -> bool {
        let Some((eyes, told)) = self.spans.give_up(watch) else { return false };
        for eye in eyes {
            if let Some(key) = self.keys.get_mut(&eye) {
                (key.told, key.span) = (key.told.max(told), None);
                self.fresh.push(eye);
            }
        }
        self.left.push(watch);
        true
    }
}

impl Key {
    /// Whether a store that is here has yet to come to what the watch begins after.
    pub(super) fn is_ahead(&self, at: Position) -> bool {
        self.from > at.revision + 1
    }

    /// The first revision that may have something to tell.
    pub(super) fn start(&self) -> i64 {
        self.from.max(self.told + 1)
    }

    pub(super) fn range(&self, watch: i64) -> Range {
        Range { watch, key: self.key.clone().into_bytes(), end: None, from: self.start() }
    }

    pub(super) fn tell(&mut self, revision: i64, lease: Option<i64>) {
        self.from = self.from.max(revision + 1);
        let seen = match lease {
            Some(lease) => Seen::Put { revision, lease },
            None => Seen::Gone { revision },
        };
        self.seen.send_replace(Some(seen));
    }
}
