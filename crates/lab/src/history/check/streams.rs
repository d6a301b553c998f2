//! I4: no watch ends before its client closes, and none falls silent without a word.
//!
//! A watch says `stale` or shows a set within [`Bounds::silence`] of its begin. A fault that is neither short nor early
//! nor takes anything hits the streams of whom it names: as long as it lasts the last word of each is `stale`, or a view
//! younger than that.

use super::{
    Bounds, Violation,
    bounds::ns,
    faults::{Fault, Span},
    subject::Subject,
    timeline::Timeline,
    watches::{Watch, Word},
};
use crate::history::{Event, Line};

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let ends = time.lines.iter().filter_map(|line| ended(time, line));
    let dumb = time.watches.iter().filter_map(|watch| dumb(time, bounds, watch));
    let silent = time.faults.iter().flat_map(|fault| silent(time, bounds, fault));
    ends.chain(dumb).chain(silent).collect()
}

/// A stream that ended while its client was open.
fn ended(time: &Timeline<'_>, line: &Line) -> Option<Violation> {
    if line.event != Event::Ended {
        return None;
    }
    let closing = time.process(Subject::of(line)).and_then(|process| process.closing.or(process.closed));
    if closing.is_some_and(|closing| closing.ns <= line.ns) {
        return None;
    }
    let watch = line.details.get("watch").unwrap_or("?");
    let what = format!("watch {watch} of {} ended while its client was open", Subject::of(line));
    Some(Violation::new("I4", what, [line].into_iter().chain(closing)))
}

/// A watch that never said anything.
fn dumb(time: &Timeline<'_>, bounds: &Bounds, watch: &Watch<'_>) -> Option<Violation> {
    let (from, due) = (watch.first.ns, watch.first.ns.saturating_add(ns(bounds.silence)));
    let spoke = watch.words.first().is_some_and(|word| word.ns <= due);
    let there = watch.end(&time.processes) > due && time.end() > due;
    if spoke || !there || time.stood(watch.subject, from, due, 0) {
        return None;
    }
    let what = format!("a watch of {} never said anything for {:?}", watch.subject, bounds.silence);
    Some(Violation::new("I4", what, [watch.first]))
}

/// The watches that went on as if nothing had happened.
fn silent(time: &Timeline<'_>, bounds: &Bounds, fault: &Fault<'_>) -> Vec<Violation> {
    if fault.short || fault.early || fault.takes {
        return Vec::new();
    }
    let lasts = Span::new(fault.from(), fault.healed.unwrap_or(time.end()));
    let hit = time.watches.iter().filter(|watch| fault.hits(watch.subject));
    hit.filter(|watch| fell_silent(time, bounds, watch, lasts))
        .map(|watch| {
            let last = watch.in_force(fault.from()).map(|view| view.line);
            let what = format!("a watch of {} said nothing for {:?}", watch.subject, bounds.silence);
            Violation::new("I4", what, last.into_iter().chain([fault.line]))
        })
        .collect()
}

/// Whether at some moment of a fault the last word is a view, and an old one.
fn fell_silent(time: &Timeline<'_>, bounds: &Bounds, watch: &Watch<'_>, fault: Span) -> bool {
    let Some(first) = watch.words.first() else { return false };
    let to = fault.to.min(watch.end(&time.processes));
    let begun = watch.words.partition_point(|word| word.ns <= fault.from);
    let before = begun.checked_sub(1).map_or(*first, |last| watch.words[last]);
    let old = |last: Word, next: u64| {
        let from = last.ns.max(fault.from);
        let due = from.saturating_add(ns(bounds.silence));
        !last.stale && next > due && !time.stood(watch.subject, from, due, 0)
    };
    let within = watch.words[begun..].iter().copied().take_while(|word| word.ns < to);
    let mut last = before;
    for word in within {
        if old(last, word.ns) {
            return true;
        }
        last = word;
    }
    old(last, to)
}
