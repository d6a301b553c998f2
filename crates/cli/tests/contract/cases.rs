//! The cases, by what they are about.

mod checks;
mod children;
mod crowd;
mod doubt;
mod electing;
mod leaders;
mod looking;
mod outages;
mod readers;
mod reading;
mod registering;
mod rivals;
mod secrets;
mod terminal;
mod text;
mod usage;

use crate::case::Case;

/// Those that are played on every row that can, the long ones first.
pub(crate) fn all() -> Vec<Case> {
    [
        crowd::CASES,
        outages::CASES,
        doubt::CASES,
        rivals::CASES,
        registering::CASES,
        children::CASES,
        checks::CASES,
        electing::CASES,
        readers::CASES,
        terminal::CASES,
        reading::CASES,
        leaders::CASES,
        looking::CASES,
        secrets::CASES,
        text::CASES,
    ]
    .concat()
}

/// Those that are about the command alone, and need no store.
pub(crate) fn alone() -> Vec<Case> {
    [usage::CASES, looking::ALONE, secrets::ALONE].concat()
}
