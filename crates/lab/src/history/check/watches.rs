//! What each watch showed.

use std::collections::{BTreeMap, HashMap};

use super::{faults::Span, processes::Process};
use crate::history::{Event, Line};

/// One shown set.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) line: &'a Line,
    /// Sorted.
    ids: Vec<&'a str>,
}

impl View<'_> {
    pub(super) fn shows(&self, id: &str) -> bool {
        self.ids.binary_search(&id).is_ok()
    }
}

/// An id that came into view, or went out of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    pub(super) id: &'a str,
    pub(super) appears: bool,
    /// The view that shows the turn: an index of `views`.
    pub(super) view: usize,
}

/// One watch of one process.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) pid: u32,
    pub(super) service: &'a str,
    /// In order; the first one opened it.
    pub(super) views: Vec<View<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    /// Times of `stale`.
    pub(super) stales: Vec<u64>,
    ended: Option<u64>,
}

impl<'a> Watch<'a> {
    /// From its first view on until it ended, or its process did.
    pub(super) fn open(&self, processes: &HashMap<u32, Process<'a>>) -> Span {
        let from = self.views.first().map_or(u64::MAX, |view| view.line.ns);
        let process = processes.get(&self.pid).map_or(u64::MAX, Process::end);
        Span::new(from, self.ended.unwrap_or(u64::MAX).min(process))
    }

    /// The first view at or after a time.
    pub(super) fn at_or_after(&self, ns: u64) -> usize {
        self.views.partition_point(|view| view.line.ns < ns)
    }

    /// The view in force at a time.
    pub(super) fn in_force(&self, ns: u64) -> Option<&View<'a>> {
        self.views[..self.views.partition_point(|view| view.line.ns <= ns)].last()
    }

    /// When each id was in view.
    pub(super) fn shown(&self) -> HashMap<&'a str, Vec<Span>> {
        let mut shown: HashMap<&str, Vec<Span>> = HashMap::new();
        for turn in &self.turns {
            let at = self.views[turn.view].line.ns;
            let spans = shown.entry(turn.id).or_default();
            match spans.last_mut() {
                Some(span) if !turn.appears => span.to = at,
                _ => spans.push(Span::new(at, u64::MAX)),
            }
        }
        shown
    }

    fn show(&mut self, line: &'a Line) {
        let mut ids: Vec<_> = line.details.list("ids").into_iter().flatten().collect();
        ids.sort_unstable();
        ids.dedup();
        let view = self.views.len();
        let before = self.views.last().map_or(&[][..], |view| &view.ids);
        let missing = before.iter().filter(|id| ids.binary_search(id).is_err());
        self.turns.extend(missing.map(|id| Turn { id, appears: false, view }));
        let new = ids.iter().filter(|id| before.binary_search(id).is_err());
        self.turns.extend(new.map(|id| Turn { id, appears: true, view }));
        self.views.push(View { line, ids });
    }
}

/// A process and its name for the watch.
type Key<'a> = (u32, &'a str, &'a str);

pub(super) fn read<'a>(lines: &[&'a Line]) -> Vec<Watch<'a>> {
    let mut watches: BTreeMap<Key<'a>, Watch<'a>> = BTreeMap::new();
    for line in
        lines.iter().filter(|line| matches!(line.event, Event::Snapshot | Event::Stale | Event::Ended))
    {
        let Some(name) = line.details.get("watch") else { continue };
        let service = line.details.get("service").unwrap_or("");
        let new = || Watch {
            pid: line.pid,
            service,
            views: Vec::new(),
            turns: Vec::new(),
            stales: Vec::new(),
            ended: None,
        };
        let watch = watches.entry((line.pid, service, name)).or_insert_with(new);
        match line.event {
            Event::Snapshot => watch.show(line),
            Event::Stale => watch.stales.push(line.ns),
            _ => watch.ended = watch.ended.or(Some(line.ns)),
        }
    }
    watches.into_values().collect()
}
