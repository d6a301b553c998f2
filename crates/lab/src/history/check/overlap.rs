//! I1: never two at once; whoever lost knows it before the rival leads.
//!
//! A leadership is held from `elected` to its last `claim`. Two such times of one election share no
//! moment; only where the server took one away early they may, for [`Bounds::overlap`] at most.

use super::{Bounds, Violation, bounds::ns, faults::Span, tenures::Tenure, timeline::Timeline};
use crate::history::Line;

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let mut violations = Vec::new();
    for tenures in time.tenures.elections() {
        violations.extend(at_once(time, bounds, &tenures));
        violations.extend(unknown_losses(time, bounds, &tenures));
        violations.extend(tenures.iter().filter_map(|tenure| outlived(time, bounds, tenure)));
    }
    violations
}

/// Those that were held at the same time as an earlier one.
fn at_once(time: &Timeline<'_>, bounds: &Bounds, tenures: &[&Tenure<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut longest: Option<(Span, &Tenure<'_>)> = None;
    for tenure in tenures {
        let Some(held) = tenure.held() else { continue };
        if let Some((other, holder)) = longest.filter(|(other, _)| held.from <= other.to) {
            let both = Span::new(held.from, held.to.min(other.to));
            if !forgiven(time, bounds, holder.pid(), both) {
                let what = format!(
                    "{} and {} held at once for {:.3} ms",
                    holder.pid(),
                    tenure.pid(),
                    millis(both.to.saturating_sub(both.from))
                );
                violations.push(Violation::new("I1", what, story(holder, tenure)));
            }
        }
        if longest.is_none_or(|(other, _)| held.to > other.to) {
            longest = Some((held, tenure));
        }
    }
    violations
}

/// Whether the server took the holder's leadership away early, and both held no longer than they may then.
fn forgiven(time: &Timeline<'_>, bounds: &Bounds, holder: u32, both: Span) -> bool {
    let overlap = ns(bounds.overlap);
    let mut early = time.faults.iter().filter(|fault| fault.early && fault.hits(holder));
    both.to.saturating_sub(both.from) <= overlap
        && early.any(|fault| {
            let until = fault.healed.unwrap_or(u64::MAX).saturating_add(overlap);
            fault.from() <= both.from && both.to <= until
        })
}

/// Those that were over without their holder knowing it when the next one began.
fn unknown_losses(time: &Timeline<'_>, bounds: &Bounds, tenures: &[&Tenure<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut rival: Option<&Tenure<'_>> = None;
    let mut next: Option<&Tenure<'_>> = None;
    for tenure in tenures.iter().rev().copied() {
        if next.is_some_and(|next| next.contender() != tenure.contender()) {
            rival = next;
        }
        next = Some(tenure);
        let Some(rival) = rival.filter(|rival| !met(tenure, rival)) else { continue };
        if knew(time, bounds, tenure, rival.elected) == Some(false) {
            let what = format!("{} did not know of its loss when {} was elected", tenure.pid(), rival.pid());
            violations.push(Violation::new("I1", what, story(tenure, rival)));
        }
    }
    violations.reverse();
    violations
}

/// Whether both held at once: that is told already.
fn met(first: &Tenure<'_>, second: &Tenure<'_>) -> bool {
    first.held().zip(second.held()).is_some_and(|(first, second)| first.meets(second.from, second.to))
}

/// Whether a loss was known in time; `None` when its process had no chance to know it.
fn knew(time: &Timeline<'_>, bounds: &Bounds, tenure: &Tenure<'_>, rival: &Line) -> Option<bool> {
    let process = time.process(tenure.pid())?;
    let at = tenure.end().map_or(u64::MAX, |line| line.ns).min(process.end());
    let mut due = rival.ns;
    if let Some((stop, _)) =
        process.stops.iter().find(|(stop, _)| stop.meets(due.saturating_sub(ns(bounds.wake)), due))
    {
        due = due.max(stop.to.saturating_add(ns(bounds.wake)));
    }
    if process.killed.is_some_and(|killed| killed.ns <= due) || due > time.end() {
        return None;
    }
    let late = Span::new(due, at.max(due));
    Some(at <= due || forgiven(time, bounds, tenure.pid(), late))
}

/// One that was claimed after its process had stood still for longer than a lease lives.
fn outlived(time: &Timeline<'_>, bounds: &Bounds, tenure: &Tenure<'_>) -> Option<Violation> {
    let held = tenure.held()?;
    let long = |stop: &Span| stop.to.saturating_sub(stop.from) >= ns(bounds.ttl);
    let stops = &time.process(tenure.pid())?.stops;
    let (_, line) =
        stops.iter().find(|(stop, _)| long(stop) && held.from < stop.from && stop.to < held.to)?;
    let lines = tenure.lines().into_iter().chain([*line]);
    Some(Violation::new(
        "I1",
        format!("{} still held after it had stood still for longer than a lease lives", line.pid),
        lines,
    ))
}

fn story<'a>(first: &Tenure<'a>, second: &Tenure<'a>) -> Vec<&'a Line> {
    let mut lines = first.lines();
    lines.extend(second.lines());
    lines.sort_by_key(|line| line.ns);
    lines
}

#[expect(clippy::cast_precision_loss, reason = "for a reader")]
fn millis(ns: u64) -> f64 {
    ns as f64 / 1e6
}
