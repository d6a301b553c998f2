//! A history in order, indexed for the checks.

use std::collections::HashMap;

use super::{
    faults::{self, Fault, Quiet},
    processes::{self, Process},
    stays::{self, Stays},
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
    pub(super) processes: HashMap<u32, Process<'a>>,
    pub(super) tenures: Tenures<'a>,
    pub(super) stays: Stays<'a>,
    pub(super) watches: Vec<Watch<'a>>,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(lines: &'a [Line]) -> Self {
        let mut lines: Vec<_> = lines.iter().collect();
        lines.sort_by_key(|line| line.ns);
        let processes = processes::read(&lines);
        let (faults, quiet) = faults::read(&lines);
        Self {
            faults,
            quiet,
            tenures: Tenures::read(&lines),
            stays: stays::read(&lines, &processes),
            watches: watches::read(&lines),
            processes,
            lines,
        }
    }

    /// The time of the last line.
    pub(super) fn end(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.ns)
    }

    pub(super) fn process(&self, pid: u32) -> Option<&Process<'a>> {
        self.processes.get(&pid)
    }

    /// The faults that hit a process at some moment of a span, the time to get well included.
    pub(super) fn hit(&self, pid: u32, from: u64, to: u64) -> impl Iterator<Item = &Fault<'a>> {
        self.faults.iter().filter(move |fault| fault.hits(pid) && fault.span().meets(from, to))
    }

    /// Whether a process stood still, or was hit by a fault that is not short, in a span or shortly before.
    pub(super) fn disturbed(&self, pid: u32, from: u64, to: u64, after: u64) -> bool {
        self.hit(pid, from, to).any(|fault| !fault.short)
            || self.process(pid).is_some_and(|process| process.stood(from, to, after))
    }
}
