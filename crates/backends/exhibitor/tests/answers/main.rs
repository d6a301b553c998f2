//! What Exhibitors and those in their place answer: the last good list stays, and a good one is used at once.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod hearing;
mod lists;
#[path = "../stage/mod.rs"]
mod stage;
mod standin;
mod wire;
