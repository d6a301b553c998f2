//! I4: no watch ends before its client closes, and none falls silent in a fault without a word.
//!
//! A fault that is neither short nor early, and lasts longer than [`Bounds::silence`], hits the streams of
//! the processes that it names: each says `stale` or shows a set within that time.

use super::{Bounds, Violation, bounds::ns, faults::Fault, timeline::Timeline, watches::Watch};
use crate::history::{Event, Line};

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let ends = time.lines.iter().filter_map(|line| ended(time, line));
    let silent = time.faults.iter().flat_map(|fault| silent(time, bounds, fault));
    ends.chain(silent).collect()
}

/// A stream that ended while its client was open.
fn ended(time: &Timeline<'_>, line: &Line) -> Option<Violation> {
    let of_close = || line.details.get("kind").is_some_and(|kind| kind.eq_ignore_ascii_case("closed"));
    if line.event != Event::Ended || of_close() {
        return None;
    }
    let closing = time.process(line.pid).and_then(|process| process.closing.or(process.closed));
    if closing.is_some_and(|closing| closing.ns <= line.ns) {
        return None;
    }
    let watch = line.details.get("watch").unwrap_or("?");
    let what = format!("watch {watch} of {} ended while its client was open", line.pid);
    Some(Violation::new("I4", what, [line].into_iter().chain(closing)))
}

/// The watches that went on as if nothing had happened.
fn silent(time: &Timeline<'_>, bounds: &Bounds, fault: &Fault<'_>) -> Vec<Violation> {
    let due = fault.from().saturating_add(ns(bounds.silence));
    let lasts = fault.healed.unwrap_or(time.end()) > due;
    if fault.short || fault.early || !lasts {
        return Vec::new();
    }
    let hit = time.watches.iter().filter(|watch| fault.hits(watch.pid));
    let quiet = hit.filter(|watch| said_nothing(time, watch, fault.from(), due));
    quiet
        .map(|watch| {
            let last = watch.in_force(fault.from()).map(|view| view.line);
            let what = format!("a watch of {} said nothing for {:?}", watch.pid, bounds.silence);
            Violation::new("I4", what, last.into_iter().chain([fault.line]))
        })
        .collect()
}

fn said_nothing(time: &Timeline<'_>, watch: &Watch<'_>, from: u64, due: u64) -> bool {
    let open = watch.open(&time.processes);
    let there = open.from <= from && open.to > due;
    let stood = || time.process(watch.pid).is_some_and(|process| process.stood(from, due, 0));
    let shown = || watch.views.get(watch.at_or_after(from)).is_some_and(|view| view.line.ns <= due);
    // One that said so before and has shown nothing since is still known to be stale.
    let last = watch.in_force(from).map_or(0, |view| view.line.ns);
    let stale = || watch.stales.iter().any(|at| *at >= last && *at <= due);
    there && !stood() && !shown() && !stale()
}
