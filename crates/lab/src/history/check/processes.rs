//! The lives of the processes, and of the clients in them.

use std::collections::HashMap;

use super::{faults::Span, subject::Subject};
use crate::history::{Event, Line};

/// What happened to one process, or to one client.
#[derive(Clone, Debug, Default)]
pub(super) struct Process<'a> {
    pub(super) closing: Option<&'a Line>,
    pub(super) closed: Option<&'a Line>,
    pub(super) killed: Option<&'a Line>,
    /// When it stood still; to the end of time if it never went on.
    pub(super) stops: Vec<(Span, &'a Line)>,
}

impl<'a> Process<'a> {
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

    /// What happens to a process happens to all clients in it.
    fn within(&mut self, whole: &Self) {
        let first = |own: Option<&'a Line>, other: Option<&'a Line>| {
            own.into_iter().chain(other).min_by_key(|line| line.ns)
        };
        self.closing = first(self.closing, whole.closing);
        self.closed = first(self.closed, whole.closed);
        self.killed = first(self.killed, whole.killed);
        self.stops.extend(&whole.stops);
    }
}

pub(super) type Processes<'a> = HashMap<Subject<'a>, Process<'a>>;

pub(super) fn read<'a>(lines: &[&'a Line]) -> Processes<'a> {
    let mut processes = Processes::new();
    for line in lines.iter().filter(|line| !matches!(line.event, Event::Claim)) {
        note(processes.entry(Subject::of(line)).or_default(), line);
    }
    let wholes: Processes<'_> = processes
        .iter()
        .filter(|(subject, _)| subject.client.is_none())
        .map(|(subject, process)| (*subject, process.clone()))
        .collect();
    for (subject, process) in processes.iter_mut().filter(|(subject, _)| subject.client.is_some()) {
        if let Some(whole) = wholes.get(&subject.whole()) {
            process.within(whole);
        }
    }
    processes
}

fn note<'a>(process: &mut Process<'a>, line: &'a Line) {
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
