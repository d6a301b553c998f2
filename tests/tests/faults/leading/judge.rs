//! Has a history judged.

use std::time::Duration;

use reception_lab::history::{Bounds, Line, check};

use super::field::LOAD;
use crate::scenario::Outcome;

/// Fails with every violation that the checker finds.
pub(super) fn judge(
    lines: &[Line],
    (ttl, spread): (Duration, Duration),
    overlap: Option<Duration>,
) -> Outcome {
    let quiet = Bounds::default();
    // A leader also tries its renewal again, at least every tenth of its lease: twice as many tries as one connection needs.
    let bounds = quiet.ttl(ttl).spread(spread).wake(quiet.wake + LOAD).connections(2);
    let bounds = bounds.overlap(overlap.unwrap_or(quiet.overlap));
    let mut text = String::new();
    for violation in check(lines, &bounds) {
        text += &format!("\nviolation of {violation}");
    }
    if text.is_empty() { Ok(()) } else { Err(text.trim_start().to_owned()) }
}
