//! I3: from a heal's `within` until the next fault every open watch shows exactly what is live.
//!
//! What comes or goes in that time, or between the heal and it, has [`Bounds::settle`] to be seen; what a
//! dead process leaves has the life of a lease. A process that stood still has time to recover first.
//!
//! What is live stays so until it is withdrawn: that its state became `ended` counts only when somebody else has
//! registered the id near it.

use std::collections::HashMap;

use super::{
    Bounds, Violation,
    bounds::ns,
    faults::{Quiet, Span},
    stays::Stay,
    subject::Subject,
    timeline::Timeline,
    watches::Watch,
};

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let stays = time.stays.iter().flat_map(|((_, id), stays)| stays.iter().map(move |stay| (*id, stay)));
    let mut violations: Vec<_> = stays.filter_map(|(id, stay)| given_up(time, id, stay)).collect();
    for watch in time.watches.iter().filter(|_| !time.quiet.is_empty()) {
        let shown = watch.shown();
        for quiet in &time.quiet {
            let room = Room { time, bounds, quiet, watch, shown: &shown };
            violations.extend(room.missing());
            violations.extend(room.strangers());
        }
    }
    violations
}

/// An instance that its client no longer keeps although it is wanted, and nobody else has its id.
fn given_up(time: &Timeline<'_>, id: &str, stay: &Stay<'_>) -> Option<Violation> {
    let line = stay.given_up?;
    let short = time.hit(stay.subject(), line.ns, line.ns).any(|fault| fault.short);
    let what = format!("{} gave {id} up, which nobody else has registered", stay.subject());
    Some(Violation::new(if short { "I7" } else { "I3" }, what, [stay.registered, line]))
}

/// One watch in one quiet time.
struct Room<'r, 'a> {
    time: &'r Timeline<'a>,
    bounds: &'r Bounds,
    quiet: &'r Quiet<'a>,
    watch: &'r Watch<'a>,
    shown: &'r HashMap<&'a str, Vec<Span>>,
}

impl Room<'_, '_> {
    /// When the watch answers for what it shows.
    fn judged(&self) -> Vec<Span> {
        let open = self.quiet.span.and(self.watch.open(&self.time.processes, self.bounds.recovery()));
        open.map(|open| open.without(&self.stood(self.watch.subject))).unwrap_or_default()
    }

    /// When a process stood still since the heal, or got well again.
    fn stood(&self, subject: Subject<'_>) -> Vec<Span> {
        let process = self.time.process(subject);
        let absent = process.map(|process| process.absent(self.bounds.recovery())).unwrap_or_default();
        let healed = self.quiet.heal.ns.saturating_add(self.bounds.recovery());
        absent.into_iter().filter(|span| span.to > healed).collect()
    }

    /// Live, and not shown.
    fn missing(&self) -> Vec<Violation> {
        let judged = self.judged();
        let mine = self.time.stays.iter().filter(|((service, _), _)| *service == self.watch.service);
        let stays = mine.flat_map(|((_, id), stays)| stays.iter().map(move |stay| (*id, stay)));
        stays.filter(|_| !judged.is_empty()).filter_map(|(id, stay)| self.misses(id, stay, &judged)).collect()
    }

    fn misses(&self, id: &str, stay: &Stay<'_>, judged: &[Span]) -> Option<Violation> {
        let settled = if stay.from() <= self.quiet.heal.ns {
            0
        } else {
            stay.from().saturating_add(ns(self.bounds.settle))
        };
        let shown = self.shown.get(id).map(Vec::as_slice).unwrap_or_default();
        let live = Span::new(settled, stay.to());
        let gap = judged
            .iter()
            .filter_map(|span| span.and(live))
            .flat_map(|span| span.without(&self.stood(stay.subject())))
            .find_map(|span| span.without(shown).first().copied())?;
        let what =
            format!("watch {} of {} does not show {id}, which is live", self.watch.name, self.watch.subject);
        let view = self.watch.in_force(gap.from).map(|view| view.line);
        Some(Violation::new(
            "I3",
            what,
            [Some(stay.registered), Some(self.quiet.heal), view].into_iter().flatten(),
        ))
    }

    /// Shown, and not live.
    fn strangers(&self) -> Vec<Violation> {
        let judged = self.judged();
        let mut ids: Vec<_> = self.shown.iter().filter(|_| !judged.is_empty()).collect();
        ids.sort_unstable_by_key(|(id, _)| **id);
        ids.into_iter().filter_map(|(id, shown)| self.stranger(id, shown, &judged)).collect()
    }

    fn stranger(&self, id: &str, shown: &[Span], judged: &[Span]) -> Option<Violation> {
        let stays = self.time.stays.get(&(self.watch.service, id)).map(Vec::as_slice).unwrap_or_default();
        let possible: Vec<_> = stays.iter().map(|stay| self.possible(stay)).collect();
        let gap = judged
            .iter()
            .flat_map(|span| shown.iter().filter_map(|shown| shown.and(*span)))
            .find_map(|span| span.without(&possible).first().copied())?;
        let what =
            format!("watch {} of {} shows {id}, which is not live", self.watch.name, self.watch.subject);
        let last = stays.iter().rfind(|stay| stay.from() <= gap.from);
        let view = self.watch.in_force(gap.from).map(|view| view.line);
        let lines = [last.map(|stay| stay.registered), last.and_then(|stay| stay.left).map(|(line, _)| line)];
        Some(Violation::new("I3", what, lines.into_iter().chain([Some(self.quiet.heal), view]).flatten()))
    }

    /// When a registration may be in view.
    fn possible(&self, stay: &Stay<'_>) -> Span {
        let settle = ns(self.bounds.settle);
        let to = if stay.to() <= self.quiet.heal.ns { 0 } else { stay.fades(settle, self.bounds.gone()) };
        // It is seen before its process has heard that it stands.
        Span::new(stay.from().saturating_sub(settle), to)
    }
}
