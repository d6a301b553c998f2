//! A broken promise, with the lines that show it.

use std::fmt;

use crate::history::Line;

/// The invariants in words.
const WORDS: &[(&str, &str)] = &[
    ("I0", "every line says what its event must say"),
    ("I1", "no two hold one leadership at a time, and a loss is known before a rival leads"),
    ("I2", "tokens rise, and the fenced store accepts no token below one that it accepted before"),
    ("I3", "after a heal every watch shows exactly what is live"),
    ("I4", "no watch ends or falls silent without a word"),
    ("I5", "what was withdrawn stays gone"),
    ("I6", "nothing is left after everything has closed"),
    ("I7", "a short fault takes no leadership and no instance away"),
    ("I8", "clients come back one try per backoff step, and not all at once"),
    ("I9", "elected and lost alternate, and nothing happens after the close"),
    ("I10", "no error makes a set smaller"),
];

/// A promise that a history breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which: `I1` to `I10`, or `I0` for a line that cannot be judged.
    pub invariant: &'static str,
    /// What happened instead.
    pub what: String,
    /// The lines that show it.
    pub lines: Vec<Line>,
}

impl Violation {
    pub(super) fn new<'a>(
        invariant: &'static str,
        what: impl Into<String>,
        lines: impl IntoIterator<Item = &'a Line>,
    ) -> Self {
        Self { invariant, what: what.into(), lines: lines.into_iter().cloned().collect() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = WORDS.iter().find(|(name, _)| *name == self.invariant).map_or("", |(_, words)| words);
        write!(f, "{} ({words}): {}", self.invariant, self.what)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}
