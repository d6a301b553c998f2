//! When the driver broke something, and when all was well.

use std::collections::BTreeSet;

use super::subject::Subject;
use crate::history::{Event, Line};

/// A time span, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    pub(super) const fn new(from: u64, to: u64) -> Self {
        Self { from, to }
    }

    pub(super) fn and(self, other: Self) -> Option<Self> {
        let both = Self::new(self.from.max(other.from), self.to.min(other.to));
        (both.from < both.to).then_some(both)
    }

    /// Whether they share a moment, their ends included.
    pub(super) fn meets(self, from: u64, to: u64) -> bool {
        self.from <= to && from <= self.to
    }

    /// What is left of this span without the others.
    pub(super) fn without(self, others: &[Self]) -> Vec<Self> {
        let mut left = vec![self];
        for other in others {
            left = left
                .into_iter()
                .flat_map(|span| {
                    [
                        Self::new(span.from, span.to.min(other.from)),
                        Self::new(span.from.max(other.to), span.to),
                    ]
                })
                .filter(|span| span.from < span.to)
                .collect();
        }
        left
    }
}

/// A fault, from its line to the heal that ends it.
#[derive(Debug)]
pub(super) struct Fault<'a> {
    pub(super) line: &'a Line,
    /// Whom it hits; `None`: all.
    pids: Option<BTreeSet<u32>>,
    /// Which of their clients; `None`: all.
    clients: Option<BTreeSet<&'a str>>,
    pub(super) short: bool,
    /// The server takes leaderships and leases away before their time.
    pub(super) early: bool,
    /// It takes away what is registered, at once.
    pub(super) takes: bool,
    /// Its heal; `None`: it lasts to the end.
    pub(super) healed: Option<u64>,
    /// When all must be well again.
    pub(super) well: u64,
}

impl<'a> Fault<'a> {
    fn begin(line: &'a Line) -> Self {
        let pids = line.details.list("pids").map(|pids| pids.filter_map(|pid| pid.parse().ok()).collect());
        let clients = line.details.list("clients").map(Iterator::collect);
        let [short, early, takes] = ["short", "early", "takes"].map(|flag| line.details.flag(flag));
        Self { line, pids, clients, short, early, takes, healed: None, well: u64::MAX }
    }

    pub(super) fn from(&self) -> u64 {
        self.line.ns
    }

    /// Whether it hits this one.
    pub(super) fn hits(&self, subject: Subject<'_>) -> bool {
        let named = |clients: &BTreeSet<&str>| subject.client.is_some_and(|client| clients.contains(client));
        self.pids.as_ref().is_none_or(|pids| pids.contains(&subject.pid))
            && self.clients.as_ref().is_none_or(named)
    }

    /// Whether leases may run out, or be taken, because of it.
    pub(super) fn harms(&self) -> bool {
        !self.short || self.takes || self.early
    }

    /// From its begin until all must be well again.
    pub(super) fn span(&self) -> Span {
        Span::new(self.from(), self.well)
    }
}

/// A time after a heal in which all must be well.
#[derive(Debug)]
pub(super) struct Quiet<'a> {
    pub(super) heal: &'a Line,
    pub(super) span: Span,
}

/// What the driver broke and healed.
#[derive(Debug, Default)]
pub(super) struct Faults<'a> {
    /// In order.
    pub(super) all: Vec<Fault<'a>>,
    /// The times between them in which all must be well.
    pub(super) quiet: Vec<Quiet<'a>>,
    /// Heals that ended nothing.
    pub(super) idle: Vec<&'a Line>,
}

impl<'a> Faults<'a> {
    pub(super) fn read(lines: &[&'a Line]) -> Self {
        let end = lines.last().map_or(0, |line| line.ns);
        let mut this = Self::default();
        for line in lines {
            match line.event {
                Event::Fault => {
                    if let Some(last) = this.quiet.last_mut() {
                        last.span.to = last.span.to.min(line.ns);
                    }
                    this.all.push(Fault::begin(line));
                }
                Event::Heal => this.heal(line, end),
                _ => {}
            }
        }
        this
    }

    fn heal(&mut self, line: &'a Line, end: u64) {
        let name = line.details.get("name");
        let ms = line.details.get("within").and_then(|ms| ms.parse::<u64>().ok()).unwrap_or(0);
        let well = line.ns.saturating_add(ms.saturating_mul(1_000_000));
        // Before the first fault it only says from when on all must be well.
        let mut idle = name.is_some() || !self.all.is_empty();
        for fault in self.all.iter_mut().filter(|fault| fault.healed.is_none()) {
            if name.is_none() || name == fault.line.details.get("name") {
                fault.healed = Some(line.ns);
                fault.well = well;
                idle = false;
            }
        }
        if idle {
            self.idle.push(line);
        }
        if self.all.iter().all(|fault| fault.healed.is_some()) {
            self.quiet.push(Quiet { heal: line, span: Span::new(well, end) });
        }
    }
}
