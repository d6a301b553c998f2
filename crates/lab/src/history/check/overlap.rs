//! I1: never two at once; whoever lost knows it before the rival leads.
//!
//! A leadership is held from `elected` to its last `claim`. Two such times of one election share no
//! moment. Only where the server took one away early they may, for [`Bounds::overlap`] at most and right after the
//! fault: within twice that time of it.

use std::collections::HashSet;

use super::{Bounds, Violation, bounds::ns, faults::Span, tenures::Tenure, timeline::Timeline};
use crate::history::Line;

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let mut violations = Vec::new();
    for tenures in time.tenures.elections() {
        let (pairs, told): (HashSet<_>, Vec<_>) = at_once(time, bounds, &tenures).into_iter().unzip();
        violations.extend(told);
        violations.extend(unknown_losses(time, bounds, &tenures, &pairs));
        violations.extend(tenures.iter().filter_map(|tenure| outlived(time, bounds, tenure)));
    }
    violations
}

/// Two leaderships, by their indices.
type Pair = (usize, usize);

/// Those that were held at the same time as an earlier one, which must not be.
fn at_once(time: &Timeline<'_>, bounds: &Bounds, tenures: &[&Tenure<'_>]) -> Vec<(Pair, Violation)> {
    let mut violations = Vec::new();
    let mut holding: Vec<(usize, Span)> = Vec::new();
    for (index, tenure) in tenures.iter().enumerate() {
        let Some(held) = tenure.held() else { continue };
        holding.retain(|(_, other)| held.from <= other.to);
        for (earlier, other) in &holding {
            let (holder, both) = (tenures[*earlier], Span::new(held.from, held.to.min(other.to)));
            if !forgiven(time, bounds, holder, both) {
                let what = format!(
                    "{} and {} held at once for {:.3} ms",
                    holder.subject(),
                    tenure.subject(),
                    millis(both.to.saturating_sub(both.from))
                );
                violations.push(((*earlier, index), Violation::new("I1", what, story(holder, tenure))));
            }
        }
        holding.push((index, held));
    }
    violations
}

/// Whether the server took the holder's leadership away early, and both held no longer than they may then. The driver
/// tells of it before it gives the command, which takes time itself.
fn forgiven(time: &Timeline<'_>, bounds: &Bounds, holder: &Tenure<'_>, both: Span) -> bool {
    let overlap = ns(bounds.overlap);
    let mut early = time.faults.iter().filter(|fault| fault.early && fault.hits(holder.subject()));
    both.to.saturating_sub(both.from) <= overlap
        && early.any(|fault| {
            let until = fault.from().saturating_add(overlap.saturating_mul(2));
            fault.from() <= both.from && both.to <= until
        })
}

/// Those that were over without their holder knowing it when the next one began; not those told already.
fn unknown_losses(
    time: &Timeline<'_>,
    bounds: &Bounds,
    tenures: &[&Tenure<'_>],
    told: &HashSet<Pair>,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut rival: Option<usize> = None;
    for (index, tenure) in tenures.iter().enumerate().rev() {
        if tenures.get(index + 1).is_some_and(|next| next.contender() != tenure.contender()) {
            rival = Some(index + 1);
        }
        let Some(next) = rival.filter(|next| !told.contains(&(index, *next))) else { continue };
        let rival = tenures[next];
        if knew(time, bounds, tenure, rival.elected) == Some(false) {
            let (loser, rival_of) = (tenure.subject(), rival.subject());
            let what = format!("{loser} did not know of its loss when {rival_of} was elected");
            violations.push(Violation::new("I1", what, story(tenure, rival)));
        }
    }
    violations.reverse();
    violations
}

/// Whether a loss was known in time; `None` when its process had no chance to know it.
fn knew(time: &Timeline<'_>, bounds: &Bounds, tenure: &Tenure<'_>, rival: &Line) -> Option<bool> {
    let process = time.process(tenure.subject())?;
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
    Some(at <= due || forgiven(time, bounds, tenure, late))
}

/// One that was claimed after its process had stood still for longer than a lease lives. Where that is no time at all nothing
/// expires, and one that stands still leads on.
fn outlived(time: &Timeline<'_>, bounds: &Bounds, tenure: &Tenure<'_>) -> Option<Violation> {
    let held = tenure.held().filter(|_| !bounds.ttl.is_zero())?;
    let long = |stop: &Span| stop.to.saturating_sub(stop.from) >= ns(bounds.ttl);
    let stops = &time.process(tenure.subject())?.stops;
    let (_, line) =
        stops.iter().find(|(stop, _)| long(stop) && held.from < stop.from && stop.to < held.to)?;
    let lines = tenure.lines().into_iter().chain([*line]);
    Some(Violation::new(
        "I1",
        format!("{} still held after it had stood still for longer than a lease lives", tenure.subject()),
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
