//! When the driver broke something, and when all was well.

use std::collections::BTreeSet;

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
    pub(super) short: bool,
    pub(super) early: bool,
    /// Its heal; `None`: it lasts to the end.
    pub(super) healed: Option<u64>,
    /// When all must be well again.
    pub(super) well: u64,
}

impl<'a> Fault<'a> {
    fn begin(line: &'a Line) -> Self {
        let pids = line.details.list("pids").map(|pids| pids.filter_map(|pid| pid.parse().ok()).collect());
        let (short, early) = (line.details.flag("short"), line.details.flag("early"));
        Self { line, pids, short, early, healed: None, well: u64::MAX }
    }

    pub(super) fn from(&self) -> u64 {
        self.line.ns
    }

    /// Whether it hits this process.
    pub(super) fn hits(&self, pid: u32) -> bool {
        self.pids.as_ref().is_none_or(|pids| pids.contains(&pid))
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

/// The faults in order, and the quiet times between them.
pub(super) fn read<'a>(lines: &[&'a Line]) -> (Vec<Fault<'a>>, Vec<Quiet<'a>>) {
    let end = lines.last().map_or(0, |line| line.ns);
    let (mut faults, mut quiet): (Vec<Fault<'_>>, Vec<Quiet<'_>>) = (Vec::new(), Vec::new());
    for line in lines {
        match line.event {
            Event::Fault => {
                if let Some(last) = quiet.last_mut() {
                    last.span.to = last.span.to.min(line.ns);
                }
                faults.push(Fault::begin(line));
            }
            Event::Heal => {
                let name = line.details.get("name");
                let ms = line.details.get("within").and_then(|ms| ms.parse::<u64>().ok()).unwrap_or(0);
                let well = line.ns.saturating_add(ms.saturating_mul(1_000_000));
                for fault in faults.iter_mut().filter(|fault| fault.healed.is_none()) {
                    if name.is_none() || name == fault.line.details.get("name") {
                        fault.healed = Some(line.ns);
                        fault.well = well;
                    }
                }
                if faults.iter().all(|fault| fault.healed.is_some()) {
                    quiet.push(Quiet { heal: line, span: Span::new(well, end) });
                }
            }
            _ => {}
        }
    }
    (faults, quiet)
}
