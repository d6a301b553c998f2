//! The lives of the processes.

use std::collections::HashMap;

use super::faults::Span;
use crate::history::{Event, Line};

/// What happened to one process.
#[derive(Debug, Default)]
pub(super) struct Process<'a> {
    pub(super) closing: Option<&'a Line>,
    pub(super) closed: Option<&'a Line>,
    pub(super) killed: Option<&'a Line>,
    /// When it stood still; to the end of time if it never went on.
    pub(super) stops: Vec<(Span, &'a Line)>,
}

impl Process<'_> {
    /// When it took its end in hand, or was killed.
    pub(super) fn end(&self) -> u64 {
        [self.closing, self.closed, self.killed]
            .iter()
            .flatten()
            .map(|line| line.ns)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// The times it stood still, each with `after` to recover.
    pub(super) fn absent(&self, after: u64) -> Vec<Span> {
        self.stops.iter().map(|(stop, _)| Span::new(stop.from, stop.to.saturating_add(after))).collect()
    }

    /// Whether it stood still, or had less than `after` since, at some moment of a span.
    pub(super) fn stood(&self, from: u64, to: u64, after: u64) -> bool {
        self.stops.iter().any(|(stop, _)| Span::new(stop.from, stop.to.saturating_add(after)).meets(from, to))
    }
}

pub(super) fn read<'a>(lines: &[&'a Line]) -> HashMap<u32, Process<'a>> {
    let mut processes: HashMap<u32, Process<'a>> = HashMap::new();
    for line in lines {
        if matches!(line.event, Event::Claim) {
            continue;
        }
        let process = processes.entry(line.pid).or_default();
        match line.event {
            Event::Closing => process.closing = process.closing.or(Some(line)),
            Event::Closed => process.closed = process.closed.or(Some(line)),
            Event::Killed => process.killed = process.killed.or(Some(line)),
            Event::Stopped => process.stops.push((Span::new(line.ns, u64::MAX), line)),
            Event::Continued => {
                if let Some((stop, _)) = process.stops.last_mut().filter(|(stop, _)| stop.to == u64::MAX) {
                    stop.to = line.ns;
                }
            }
            _ => {}
        }
    }
    processes
}
