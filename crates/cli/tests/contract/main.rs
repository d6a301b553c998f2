//! The contract of the command, played on the real binary from outside.
//!
//! A case drives processes of `reception` by their arguments, signals and outputs, and knows no store. A row brings a kind of store: its
//! URL, how to take it away and bring it back, and what it cannot do, with the reason. So each case is played on every row that can, and a
//! new store joins by one row.
//!
//! `RECEPTION_COMMAND_SEED=N` seeds all chance, `RECEPTION_COMMAND_ALL=1` plays the long rounds.
#![expect(clippy::expect_used, reason = "a test may panic")]

mod call;
mod case;
mod cases;
mod ground;
mod plan;
mod process;
mod row;
mod run;
mod stores;

use std::process::ExitCode;

fn main() -> ExitCode {
    plan::main()
}
