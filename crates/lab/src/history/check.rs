//! Judges a history by the invariants I1 to I10, from its lines alone.
//!
//! ```text
//! lines ──► Timeline: in order of time
//!           ├─ faults     what the driver broke, and when all was well
//!           ├─ processes  closing, killed, standing still (of each subject: a process, or one client in it)
//!           ├─ tenures    who led ───────────► I1 overlap  I2 tokens  I9 order
//!           ├─ stays      what was registered ┐
//!           └─ watches    what was shown ─────┴► I3 converged  I4 streams  I5 withdrawn  I7 I10 kept
//!                                                I6 residue  I8 connects  I0 form
//! ```
//!
//! Each check takes time linear, or nearly so, in the lines. Where the lines leave a doubt, such as how
//! late a cut-off watch may show what was true before, a check is lenient and says so.

mod bounds;
mod connects;
mod converged;
mod faults;
mod form;
mod kept;
mod order;
mod overlap;
mod processes;
mod residue;
mod stays;
mod streams;
mod subject;
mod tenures;
mod timeline;
mod tokens;
mod violation;
mod watches;
mod withdrawn;

use self::timeline::Timeline;
pub use self::{bounds::Bounds, violation::Violation};
use super::Line;

/// How many violations one check reports.
const MOST: usize = 50;

/// Finds what in a history breaks a promise: nothing in a good one.
///
/// The lines may be in any order. At most 50 violations of a kind are told.
///
/// ```
/// use reception_lab::history::{Bounds, Line, check};
///
/// let lines = ["1000 41 elected d:1", "3000 41 claim d:1", "2000 42 elected d:2", "4000 42 claim d:2"];
/// let lines: Vec<Line> = lines.iter().map(|line| line.parse()).collect::<Result<_, _>>()?;
/// let violations = check(&lines, &Bounds::default());
/// assert_eq!(violations[0].invariant, "I1");
/// # Ok::<(), reception_lab::history::LineError>(())
/// ```
#[must_use]
pub fn check(lines: &[Line], bounds: &Bounds) -> Vec<Violation> {
    let time = Timeline::new(lines, bounds);
    let checks = [
        form::check,
        overlap::check,
        tokens::check,
        converged::check,
        streams::check,
        withdrawn::check,
        residue::check,
        kept::check,
        connects::check,
        order::check,
    ];
    checks
        .into_iter()
        .flat_map(|check: fn(&Timeline<'_>, &Bounds) -> Vec<Violation>| {
            let mut violations = check(&time, bounds);
            violations.truncate(MOST);
            violations
        })
        .collect()
}
