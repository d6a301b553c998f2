//! The cases, by what they are about.

mod checks;
mod children;
mod leaders;
mod looking;
mod outages;
mod reading;
mod registering;
mod secrets;
mod text;
mod usage;

use crate::case::Case;

/// Those that are played on every row that can.
pub(crate) fn all() -> Vec<Case> {
    [
        reading::CASES,
        leaders::CASES,
        looking::CASES,
        secrets::CASES,
        text::CASES,
        registering::CASES,
        children::CASES,
        checks::CASES,
        outages::CASES,
    ]
    .concat()
}

/// Those that are about the command alone, and need no store.
pub(crate) fn alone() -> Vec<Case> {
    [usage::CASES, looking::ALONE, secrets::ALONE].concat()
}
