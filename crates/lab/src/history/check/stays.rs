//! What was registered from when to when.

use std::collections::BTreeMap;

use super::{processes::Processes, subject::Subject};
use crate::history::{Event, Line};

/// An instance: the service (empty when the history has one) and the id.
pub(super) type Instance<'a> = (&'a str, &'a str);

/// What a process said of the registration's end, or how it ended with its process.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leave<'a> {
    /// Withdrawn, with the answer if there was one.
    Withdrawn { answer: Option<&'a Line> },
    /// Its state became `ended`: somebody else has the id, for which there is a line.
    Ended,
    /// Its client closed.
    Closed { done: Option<&'a Line> },
    /// Its process was killed.
    Killed,
}

/// One registration: from `registered` on.
#[derive(Debug)]
pub(super) struct Stay<'a> {
    pub(super) registered: &'a Line,
    pub(super) left: Option<(&'a Line, Leave<'a>)>,
    /// Its state became `ended`, and there is nobody who has the id: it was given up, and is still wanted.
    pub(super) given_up: Option<&'a Line>,
}

impl<'a> Stay<'a> {
    pub(super) fn subject(&self) -> Subject<'a> {
        Subject::of(self.registered)
    }

    pub(super) fn from(&self) -> u64 {
        self.registered.ns
    }

    /// When it stopped being live.
    pub(super) fn to(&self) -> u64 {
        self.left.map_or(u64::MAX, |(line, _)| line.ns)
    }

    /// Until when it was live for certain; that somebody else has the id is heard `late` at most.
    pub(super) fn surely(&self, late: u64) -> u64 {
        let heard_late = matches!(self.left, Some((_, Leave::Ended)));
        if heard_late { self.to().saturating_sub(late) } else { self.to() }
    }

    /// When the answer to its withdrawal came, and whether it was Ok.
    pub(super) fn answer(&self) -> Option<(&'a Line, bool)> {
        match self.left {
            Some((_, Leave::Withdrawn { answer: Some(line) })) => Some((line, line.details.flag("ok"))),
            _ => None,
        }
    }

    /// Until when it may still be seen while nothing fails.
    pub(super) fn fades(&self, settle: u64, gone: u64) -> u64 {
        let Some((line, leave)) = self.left else { return u64::MAX };
        let (from, grace) = match leave {
            Leave::Withdrawn { answer: Some(answer) } if answer.details.flag("ok") => (answer, settle),
            Leave::Withdrawn { answer } => (answer.unwrap_or(line), gone),
            Leave::Ended => (line, settle),
            Leave::Closed { done: Some(done) } => (done, settle),
            Leave::Closed { done: None } | Leave::Killed => (line, gone),
        };
        from.ns.saturating_add(grace)
    }
}

/// All registrations of each instance, in order.
pub(super) type Stays<'a> = BTreeMap<Instance<'a>, Vec<Stay<'a>>>;

/// The instance that a line is about.
fn instance(line: &Line) -> Option<Instance<'_>> {
    Some((line.details.get("service").unwrap_or(""), line.details.get("id")?))
}

pub(super) fn read<'a>(
    lines: &[&'a Line],
    processes: &Processes<'a>,
    replaced: impl Fn(Subject<'a>, u64, u64) -> bool,
) -> Stays<'a> {
    let mut stays = Stays::new();
    for line in lines {
        let Some(instance) = instance(line) else { continue };
        match line.event {
            Event::Registered => {
                let known = stays.entry(instance).or_default();
                if !known.iter().any(|stay| stay.subject() == Subject::of(line) && stay.left.is_none()) {
                    known.push(Stay { registered: line, left: None, given_up: None });
                }
            }
            Event::Withdrawing | Event::Withdrawn | Event::State => {
                let known = stays.get_mut(&instance);
                if let Some(stay) =
                    known.and_then(|known| known.iter_mut().rfind(|stay| stay.subject() == Subject::of(line)))
                {
                    leave(stay, line);
                }
            }
            _ => {}
        }
    }
    for known in stays.values_mut() {
        let owners: Vec<_> = known.iter().map(|stay| (stay.subject(), stay.from())).collect();
        for stay in known {
            end_with(stay, processes);
            if let Some((line, Leave::Ended)) = stay.left
                && !owners
                    .iter()
                    .any(|(owner, from)| *owner != stay.subject() && replaced(stay.subject(), *from, line.ns))
            {
                stay.given_up = Some(line);
                stay.left = None;
                end_with(stay, processes);
            }
        }
    }
    stays
}

fn leave<'a>(stay: &mut Stay<'a>, line: &'a Line) {
    match (line.event, &mut stay.left) {
        (Event::Withdrawing, left @ None) => *left = Some((line, Leave::Withdrawn { answer: None })),
        (Event::Withdrawn, left @ None) => *left = Some((line, Leave::Withdrawn { answer: Some(line) })),
        (Event::Withdrawn, Some((_, Leave::Withdrawn { answer: answer @ None }))) => *answer = Some(line),
        (Event::State, left @ None) if line.details.get("state") == Some("ended") => {
            *left = Some((line, Leave::Ended));
        }
        _ => {}
    }
}

/// The end of the process is the end of what it had registered.
fn end_with<'a>(stay: &mut Stay<'a>, processes: &Processes<'a>) {
    let Some(process) = processes.get(&stay.subject()) else { return };
    let closing =
        process.closing.or(process.closed).map(|line| (line, Leave::Closed { done: process.closed }));
    let killed = process.killed.map(|line| (line, Leave::Killed));
    let first = [closing, killed].into_iter().flatten().min_by_key(|(line, _)| line.ns);
    match (first, stay.left) {
        (Some((line, leave)), None) if line.ns >= stay.from() => stay.left = Some((line, leave)),
        (Some((line, leave)), Some((left, _))) if line.ns >= stay.from() && line.ns < left.ns => {
            stay.left = Some((line, leave));
        }
        _ => {}
    }
}
