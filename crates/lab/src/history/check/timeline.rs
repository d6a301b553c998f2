//! A history in order, indexed for the checks.

use super::{
    Bounds,
    faults::{Fault, Faults, Quiet, Span},
    processes::{self, Process, Processes},
    stays::{self, Stays},
    subject::Subject,
    tenures::Tenures,
    watches::{self, Watch},
};
use crate::history::Line;

#[derive(Debug)]
pub(super) struct Timeline<'a> {
    /// By time; those of one time as they were written.
    pub(super) lines: Vec<&'a Line>,
    pub(super) faults: Vec<Fault<'a>>,
    pub(super) quiet: Vec<Quiet<'a>>,
    /// Heals that ended nothing.
    pub(super) idle: Vec<&'a Line>,
    pub(super) processes: Processes<'a>,
    pub(super) tenures: Tenures<'a>,
    pub(super) stays: Stays<'a>,
    pub(super) watches: Vec<Watch<'a>>,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(lines: &'a [Line], bounds: &Bounds) -> Self {
        let mut lines: Vec<_> = lines.iter().collect();
        lines.sort_by_key(|line| line.ns);
        let processes = processes::read(&lines);
        let Faults { all: faults, quiet, idle } = Faults::read(&lines);
        let mut this = Self {
            faults,
            quiet,
            idle,
            tenures: Tenures::read(&lines),
            stays: Stays::new(),
            watches: watches::read(&lines),
            processes,
            lines,
        };
        let near = bounds.recovery().max(bounds.gone());
        this.stays = stays::read(&this.lines, &this.processes, |loser, from, heard| {
            this.replaced(loser, from, heard, near)
        });
        this
    }

    /// Whether one may have heard at a time that another one has taken its id: near to when that one registered, or
    /// later if something was in the way. The winner hears of it itself, so it may be written later.
    fn replaced(&self, loser: Subject<'_>, from: u64, heard: u64, near: u64) -> bool {
        let kept_from =
            || self.hit(loser, from, heard).next().is_some() || self.stood(loser, from, heard, near);
        from.saturating_sub(near) <= heard && (heard <= from.saturating_add(near) || kept_from())
    }

    /// The time of the last line.
    pub(super) fn end(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.ns)
    }

    pub(super) fn process<'s>(&'s self, subject: Subject<'s>) -> Option<&'s Process<'s>> {
        self.processes.get(&subject).or_else(|| self.processes.get(&subject.whole()))
    }

    /// The faults that hit one at some moment of a span, the time to get well included.
    pub(super) fn hit(&self, subject: Subject<'_>, from: u64, to: u64) -> impl Iterator<Item = &Fault<'a>> {
        self.faults.iter().filter(move |fault| fault.hits(subject) && fault.span().meets(from, to))
    }

    /// Whether one stood still, or was hit by a fault that is not short, in a span or shortly before.
    pub(super) fn disturbed(&self, subject: Subject<'_>, from: u64, to: u64, after: u64) -> bool {
        self.hit(subject, from, to).any(Fault::harms) || self.stood(subject, from, to, after)
    }

    /// Whether one stood still in a span or shortly before.
    pub(super) fn stood(&self, subject: Subject<'_>, from: u64, to: u64, after: u64) -> bool {
        self.process(subject).is_some_and(|process| process.stood(from, to, after))
    }

    /// Whether what one holds by a lease may have gone in a span: taken away, or run out, which it does `lasts` after
    /// the last chance to renew it at the earliest.
    pub(super) fn unleased(
        &self,
        subject: Subject<'_>,
        (from, to): (u64, u64),
        lasts: u64,
        after: u64,
    ) -> bool {
        let harmed = self.faults.iter().filter(|fault| fault.harms() && fault.hits(subject)).map(|fault| {
            let wait = if fault.takes || fault.early { 0 } else { lasts };
            Span::new(fault.from().saturating_add(wait), fault.well)
        });
        let stops = self.process(subject).map_or(&[][..], |process| &process.stops);
        let stood = stops
            .iter()
            .map(|(stop, _)| Span::new(stop.from.saturating_add(lasts), stop.to.saturating_add(after)));
        harmed.chain(stood).any(|span| span.from <= span.to && span.meets(from, to))
    }

    /// The end of a time that begins here, put off by all that hits one, or that it stood still in, meanwhile.
    pub(super) fn put_off(&self, subject: Subject<'_>, from: u64, to: u64, after: u64) -> u64 {
        let faults = self.faults.iter().filter(|fault| fault.hits(subject)).map(Fault::span);
        let stops = self.process(subject).map(|process| process.absent(after)).unwrap_or_default();
        let mut spans: Vec<_> = faults.chain(stops).collect();
        spans.sort_unstable_by_key(|span| span.from);
        spans.into_iter().fold(to, |to, span| if span.meets(from, to) { to.max(span.to) } else { to })
    }
}
