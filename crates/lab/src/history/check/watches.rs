//! What each watch showed.

use std::collections::{BTreeMap, HashMap};

use super::{
    faults::Span,
    processes::{Process, Processes},
    subject::Subject,
};
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

/// That it said something: a view, or that the last one may be old.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) ns: u64,
    pub(super) stale: bool,
}

/// One watch of one client.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) service: &'a str,
    pub(super) name: &'a str,
    /// The first line about it: it was there from then on.
    pub(super) first: &'a Line,
    /// In order.
    pub(super) views: Vec<View<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    /// In order.
    pub(super) words: Vec<Word>,
    ended: Option<u64>,
}

impl<'a> Watch<'a> {
    /// From its first view on, or when there must be one, until it ended, or its client did.
    pub(super) fn open(&self, processes: &Processes<'a>, recovery: u64) -> Span {
        let due = self.first.ns.saturating_add(recovery);
        let from = self.views.first().map_or(due, |view| view.line.ns.min(due));
        Span::new(from, self.end(processes))
    }

    pub(super) fn end(&self, processes: &Processes<'a>) -> u64 {
        let process = processes.get(&self.subject).map_or(u64::MAX, Process::end);
        self.ended.unwrap_or(u64::MAX).min(process)
    }

    /// Whether what it showed last at a time is not marked as old.
    pub(super) fn fresh(&self, ns: u64) -> bool {
        self.words[..self.words.partition_point(|word| word.ns <= ns)].last().is_some_and(|word| !word.stale)
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

/// A client and its name for the watch.
type Key<'a> = (Subject<'a>, &'a str, &'a str);

pub(super) fn read<'a>(lines: &[&'a Line]) -> Vec<Watch<'a>> {
    let mut watches: BTreeMap<Key<'a>, Watch<'a>> = BTreeMap::new();
    let told =
        |line: &Line| matches!(line.event, Event::Snapshot | Event::Stale | Event::Ended | Event::Watching);
    for line in lines.iter().copied().filter(|line| told(line)) {
        let Some(name) = line.details.get("watch") else { continue };
        let service = line.details.get("service").unwrap_or("");
        let new = || Watch {
            subject: Subject::of(line),
            service,
            name,
            first: line,
            views: Vec::new(),
            turns: Vec::new(),
            words: Vec::new(),
            ended: None,
        };
        let watch = watches.entry((Subject::of(line), service, name)).or_insert_with(new);
        match line.event {
            Event::Snapshot => {
                watch.show(line);
                watch.words.push(Word { ns: line.ns, stale: false });
            }
            Event::Stale => watch.words.push(Word { ns: line.ns, stale: true }),
            Event::Watching => {}
            _ => watch.ended = watch.ended.or(Some(line.ns)),
        }
    }
    watches.into_values().collect()
}
