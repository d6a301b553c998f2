//! I7 and I10: no leadership is lost in a short fault, and no set shrinks by an error.
//!
//! A view misses an id that is live when it was in view before and went, or never came. What excuses it
//! is a fault that is not short and hits the client that registered it, or that its process stood still,
//! from two thirds of the lease's life on: it may have run out. A fault that `takes` things away, or takes them
//! `early`, excuses it at once. A view that misses one in a short fault breaks I7, else I10.

use super::{
    Bounds, Violation,
    faults::Fault,
    stays::Stay,
    subject::Subject,
    timeline::Timeline,
    watches::{Turn, Watch},
};
use crate::history::{Event, Line};

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let lost = time.lines.iter().filter(|line| line.event == Event::Lost);
    let mut violations: Vec<_> = lost.filter_map(|line| lost_in_short(time, bounds, line)).collect();
    for watch in &time.watches {
        let gone = watch.turns.iter().filter(|turn| !turn.appears);
        violations.extend(gone.filter_map(|turn| shrunk(time, bounds, watch, turn)));
        let mine = time.stays.iter().filter(|((service, _), _)| *service == watch.service);
        let stays = mine.flat_map(|((_, id), stays)| stays.iter().map(move |stay| (*id, stay)));
        violations.extend(stays.filter_map(|(id, stay)| {
            never_seen(time, bounds, watch, id, stay).or_else(|| frozen(time, bounds, watch, id, stay))
        }));
    }
    violations
}

/// A leadership lost in a short fault, and not by its own process.
fn lost_in_short(time: &Timeline<'_>, bounds: &Bounds, line: &Line) -> Option<Violation> {
    let subject = Subject::of(line);
    // A longer one that begins before a short one is over takes its place.
    let longer = |short: &Fault<'_>| {
        let to = short.healed.unwrap_or(u64::MAX).min(line.ns);
        let mut others = time.faults.iter().filter(|other| other.harms() && other.hits(subject));
        others.any(|other| (short.from()..to).contains(&other.from()))
    };
    let fault = time.hit(subject, line.ns, line.ns).find(|fault| fault.short && !longer(fault))?;
    let own = time.process(subject).is_some_and(|process| process.end() <= line.ns)
        || time
            .tenures
            .of(line)
            .and_then(|tenure| tenure.resigning)
            .is_some_and(|resigning| resigning.ns <= line.ns);
    if own || time.unleased(subject, (line.ns, line.ns), bounds.led(), bounds.recovery()) {
        return None;
    }
    Some(Violation::new("I7", format!("{subject} lost its leadership in a short fault"), [fault.line, line]))
}

/// An id that went out of view while it was live.
fn shrunk(time: &Timeline<'_>, bounds: &Bounds, watch: &Watch<'_>, turn: &Turn<'_>) -> Option<Violation> {
    let stays = time.stays.get(&(watch.service, turn.id))?;
    let [before, view] = [turn.view.checked_sub(1)?, turn.view].map(|index| watch.views[index].line);
    let index =
        stays.iter().position(|stay| stay.from() <= view.ns && view.ns < stay.surely(bounds.recovery()))?;
    let stay = &stays[index];
    // What is seen late may be the end of an earlier registration.
    let sure = (index == 0 && stay.from() <= before.ns) || settled(bounds, stay) <= view.ns;
    if !sure || excused(time, bounds, stay, before.ns, view.ns) {
        return None;
    }
    let what = format!("{} of {} is live and went out of view", turn.id, stay.subject());
    Some(Violation::new(invariant(time, view), what, [stay.registered, before, view]))
}

/// An id that has been live for long and is not in the first view since.
fn never_seen(
    time: &Timeline<'_>,
    bounds: &Bounds,
    watch: &Watch<'_>,
    id: &str,
    stay: &Stay<'_>,
) -> Option<Violation> {
    let index = watch.at_or_after(settled(bounds, stay));
    let view = watch
        .views
        .get(index)
        .filter(|view| view.line.ns < stay.surely(bounds.recovery()) && !view.shows(id))?
        .line;
    // The first view was read for it; a later one may be of before a cut.
    let late = index > 0 && time.disturbed(watch.subject, stay.from(), view.ns, bounds.recovery());
    let stood = time.stood(watch.subject, view.ns, view.ns, bounds.recovery());
    let seen = index.checked_sub(1).is_some_and(|before| watch.views[before].shows(id));
    if late || stood || seen || excused(time, bounds, stay, stay.from(), view.ns) {
        return None;
    }
    let what = format!("{id} of {} is live and not in view", stay.subject());
    Some(Violation::new(invariant(time, view), what, [stay.registered, view]))
}

/// An id that has been live for long, while nothing failed, and a watch that says nothing of it.
fn frozen(
    time: &Timeline<'_>,
    bounds: &Bounds,
    watch: &Watch<'_>,
    id: &str,
    stay: &Stay<'_>,
) -> Option<Violation> {
    let (from, due) = (stay.from(), settled(bounds, stay));
    let lives = due < stay.surely(bounds.recovery()) && time.end() >= due;
    let open = watch.open(&time.processes, bounds.recovery());
    let view = watch.in_force(due).filter(|view| open.from <= due && due < open.to && !view.shows(id))?.line;
    let calm = |subject| {
        let well = |fault: &Fault<'_>| fault.span().meets(from.saturating_sub(bounds.gone()), due);
        !time.faults.iter().any(|fault| fault.hits(subject) && well(fault))
            && !time.stood(subject, from.saturating_sub(bounds.gone()), due, bounds.recovery())
    };
    if !lives || !watch.fresh(due) || !calm(watch.subject) || !calm(stay.subject()) {
        return None;
    }
    let what = format!("{id} of {} is live and not in view", stay.subject());
    Some(Violation::new("I10", what, [stay.registered, view]))
}

/// When everybody must have seen a registration.
fn settled(bounds: &Bounds, stay: &Stay<'_>) -> u64 {
    stay.from().saturating_add(bounds.recovery())
}

/// Whether the lease of a registration may have ended in a span without its process wanting so.
fn excused(time: &Timeline<'_>, bounds: &Bounds, stay: &Stay<'_>, from: u64, to: u64) -> bool {
    time.unleased(stay.subject(), (from, to), bounds.leased(), bounds.recovery())
}

fn invariant(time: &Timeline<'_>, view: &Line) -> &'static str {
    let short = time.faults.iter().any(|fault| fault.short && fault.span().meets(view.ns, view.ns));
    if short { "I7" } else { "I10" }
}
