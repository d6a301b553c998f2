//! I5: after a withdrawal that answered Ok the id goes and does not come back; after one that failed it is gone
//! once the lease has run out.
//!
//! Whether it is gone shows in the view in force when it must be, also when no other view follows.

use super::{
    Bounds, Violation,
    bounds::ns,
    stays::Stay,
    timeline::Timeline,
    watches::{Turn, Watch},
};
use crate::history::Line;

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let mut violations = Vec::new();
    for watch in &time.watches {
        let appears = watch.turns.iter().filter(|turn| turn.appears);
        violations.extend(appears.filter_map(|turn| back(time, bounds, watch, turn)));
    }
    for ((service, id), stays) in &time.stays {
        for stay in stays {
            let watches = time.watches.iter().filter(|watch| watch.service == *service);
            violations.extend(watches.filter_map(|watch| stays_on(time, bounds, watch, (id, stay))));
        }
    }
    violations
}

/// An id that comes into view although every registration of it was withdrawn.
fn back(time: &Timeline<'_>, bounds: &Bounds, watch: &Watch<'_>, turn: &Turn<'_>) -> Option<Violation> {
    let view = watch.views[turn.view].line;
    let stays = time.stays.get(&(watch.service, turn.id))?;
    let answer = last_answer(bounds, stays, view)?;
    if view.ns <= answer.ns.saturating_add(ns(bounds.settle)) {
        return None;
    }
    // A watch that was cut off may show late what was true before.
    let before = turn.view.checked_sub(1).map(|before| watch.views[before].line);
    let late = before.is_some_and(|before| before.ns <= answer.ns)
        && time.disturbed(watch.subject, answer.ns, view.ns, bounds.recovery());
    if late {
        return None;
    }
    let what = format!("{} is back after it was withdrawn", turn.id);
    Some(Violation::new("I5", what, before.into_iter().chain([answer, view])))
}

/// The last answer Ok to a withdrawal, if nothing else can have brought an id into a view.
fn last_answer<'a>(bounds: &Bounds, stays: &[Stay<'a>], view: &Line) -> Option<&'a Line> {
    let mut last: Option<&Line> = None;
    // A registration is seen before its process has heard that it stands.
    for stay in stays.iter().take_while(|stay| stay.from().saturating_sub(bounds.recovery()) <= view.ns) {
        match stay.answer() {
            Some((answer, true)) => last = last.filter(|last| last.ns > answer.ns).or(Some(answer)),
            _ if stay.fades(ns(bounds.settle), bounds.gone()) < view.ns => {}
            _ => return None,
        }
    }
    last
}

/// An id still shown although it was withdrawn, or the lease of its failed withdrawal has run out.
fn stays_on(
    time: &Timeline<'_>,
    bounds: &Bounds,
    watch: &Watch<'_>,
    (id, stay): (&str, &Stay<'_>),
) -> Option<Violation> {
    let (answer, ok) = stay.answer()?;
    // A watch that is cut off shows late what has gone meanwhile.
    let seen = |stay: &Stay<'_>, from| {
        time.put_off(watch.subject, from, faded(time, bounds, stay), bounds.recovery())
    };
    let due = seen(stay, answer.ns);
    let open = watch.open(&time.processes, bounds.recovery());
    if due > time.end() || open.from > due || open.to <= due {
        return None;
    }
    let view = watch.in_force(due).filter(|view| view.shows(id))?;
    // A registration is seen before its process has heard that it stands.
    let early = |other: &Stay<'_>| other.from().saturating_sub(bounds.recovery());
    let mut others = time.stays[&(watch.service, id)].iter().filter(|other| !std::ptr::eq(*other, stay));
    if others.any(|other| early(other) <= due && due <= seen(other, other.to())) {
        return None;
    }
    let how = if ok { "it was withdrawn" } else { "its withdrawal failed" };
    Some(Violation::new("I5", format!("{id} is still shown long after {how}"), [answer, view.line]))
}

/// Until when what is over may be seen by a watch that nothing disturbs.
fn faded(time: &Timeline<'_>, bounds: &Bounds, stay: &Stay<'_>) -> u64 {
    let mut due = stay.fades(ns(bounds.settle), bounds.gone());
    if stay.answer().is_some_and(|(_, ok)| ok) {
        return due;
    }
    // A server that is away counts no time, and a lease has all of it again once it is back.
    for fault in time.faults.iter().filter(|fault| !fault.short) {
        if fault.span().meets(stay.to(), due) {
            due = due.max(fault.healed.map_or(u64::MAX, |healed| healed.saturating_add(bounds.gone())));
        }
    }
    due
}
