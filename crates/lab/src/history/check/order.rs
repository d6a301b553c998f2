//! I9: elected and lost alternate, nothing is claimed of what is over, and nothing happens after the close.
//!
//! A leadership that is never over is claimed to the end: one whose claims just stop breaks I9, or I7 when a short fault
//! stopped them.

use std::collections::{HashMap, HashSet};

use super::{
    Bounds, Violation,
    bounds::ns,
    processes::Process,
    subject::Subject,
    tenures::{Tenure, election},
    timeline::Timeline,
};
use crate::history::{Event, Line};

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let mut violations = twice(time);
    let elections = time.tenures.elections();
    // Of one that somebody followed I1 asks more.
    let last = elections.iter().filter_map(|tenures| tenures.last());
    violations.extend(last.filter_map(|tenure| faded(time, bounds, tenure)));
    let mut told = HashSet::new();
    for line in &time.lines {
        let wrong = match line.event {
            Event::Claim | Event::Lost | Event::Resigning => out_of_turn(time, line),
            _ => None,
        };
        // One report of each kind for a leadership: a sampler would fill pages.
        if let Some((what, tenure)) =
            wrong.filter(|(what, _)| told.insert((Subject::of(line), *what, &line.token)))
        {
            let lines = tenure.map(Tenure::lines).unwrap_or_default();
            let lines = lines.into_iter().filter(|known| !std::ptr::eq(*known, *line) && known.ns <= line.ns);
            violations.push(Violation::new(
                "I9",
                format!("{} {what}", Subject::of(line)),
                lines.chain([*line]),
            ));
        }
        violations.extend(after_close(time, line));
    }
    violations
}

/// Those elected again while they lead.
fn twice(time: &Timeline<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for tenures in time.tenures.elections() {
        let mut last: HashMap<_, &Tenure<'_>> = HashMap::new();
        for tenure in tenures {
            let Some(before) = last.insert(tenure.contender(), tenure) else { continue };
            if before.end().is_none_or(|end| end.ns > tenure.elected.ns) {
                let what = format!("{} was elected again before it had lost", tenure.subject());
                let lines = before.lines().into_iter().chain([tenure.elected]);
                violations.push(Violation::new("I9", what, lines));
            }
        }
    }
    violations
}

/// A leadership that is neither over nor claimed any more.
fn faded(time: &Timeline<'_>, bounds: &Bounds, tenure: &Tenure<'_>) -> Option<Violation> {
    let subject = tenure.subject();
    let last = tenure.last_claim.unwrap_or(tenure.elected);
    let due = last.ns.saturating_add(ns(bounds.settle));
    let end = time.process(subject).map_or(u64::MAX, Process::end).min(time.end());
    if tenure.end().is_some() || due >= end || time.stood(subject, last.ns, due, ns(bounds.settle)) {
        return None;
    }
    let fault = time.hit(subject, last.ns, due).find(|fault| fault.short);
    let invariant = if fault.is_some() { "I7" } else { "I9" };
    let what = format!("{subject} neither holds its leadership any more nor has lost it");
    Some(Violation::new(invariant, what, tenure.lines().into_iter().chain(fault.map(|fault| fault.line))))
}

/// What is wrong with a line about a leadership.
fn out_of_turn<'t, 'a>(
    time: &'t Timeline<'a>,
    line: &'a Line,
) -> Option<(&'static str, Option<&'t Tenure<'a>>)> {
    line.token.as_ref()?;
    let Some(tenure) = time.tenures.of(line) else {
        return Some(("was never elected with this token", None));
    };
    let what = match line.event {
        Event::Claim => {
            tenure.end().filter(|end| end.ns < line.ns)?;
            "held a leadership that was over"
        }
        // A resignation makes `lost()` resolve as well.
        Event::Lost if tenure.lost.is_some_and(|lost| !std::ptr::eq(lost, line)) => "lost twice",
        Event::Resigning if tenure.resigning.is_some_and(|resigning| !std::ptr::eq(resigning, line)) => {
            "resigned twice"
        }
        _ if line.ns < tenure.elected.ns => "lost before it was elected",
        _ => return None,
    };
    Some((what, Some(tenure)))
}

/// What a process did after its client had closed.
fn after_close(time: &Timeline<'_>, line: &Line) -> Option<Violation> {
    let begins = match line.event {
        Event::Claim
        | Event::Elected
        | Event::Registered
        | Event::Resigning
        | Event::Snapshot
        | Event::Stale
        | Event::Standing
        | Event::Withdrawing => true,
        Event::State => line.details.get("state") != Some("ended"),
        // Endings may be written late: the close itself brings them about.
        _ => false,
    };
    let closed = time.process(Subject::of(line))?.closed.filter(|closed| begins && closed.ns < line.ns)?;
    let what = format!("{} goes on after its client has closed{}", Subject::of(line), named(line));
    Some(Violation::new("I9", what, [closed, line]))
}

fn named(line: &Line) -> String {
    match election(line) {
        "" => String::new(),
        name => format!(" (election {name})"),
    }
}
