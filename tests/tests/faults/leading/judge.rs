//! Has a history judged.

use reception_lab::history::Line;

use crate::scenario::Outcome;

pub(super) fn judge(_lines: &[Line]) -> Outcome {
    Ok(())
}
