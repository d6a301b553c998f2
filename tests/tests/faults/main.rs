//! The fault scenarios of one server, each with all chance of its driver from a seed.
//!
//! `cargo xtask faults --backend etcd --seed N [--all] [--only F7]` plays them; `cargo test` plays the short rounds with a fixed
//! seed. A scenario says what is broken and what must hold, in terms of a [`Stand`](stand::Stand): the hooks into one kind of
//! server. So each backend plays the same scenarios.
#![expect(clippy::expect_used, reason = "a test may panic")]

mod consul;
mod etcd;
mod leading;
mod local;
mod machine;
mod plan;
mod scenario;
mod serving;
mod stage;
mod stand;
mod zookeeper;

use std::process::ExitCode;

fn main() -> ExitCode {
    plan::main()
}
