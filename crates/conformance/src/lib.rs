//! The laws of Reception as a test suite that any backend can run.
//!
//! A backend, of this project or of anybody else, brings a [`Fixture`]: how to start its store, how to dial a
//! client, and as many hooks as it can. [`suite!`] makes the `main` of a test target of it, with one named
//! trial per case and a matrix of the laws at the end:
//!
//! ```text
//! // tests/conformance.rs, with `harness = false` in Cargo.toml
//! mod fixture;
//! reception_conformance::suite!(fixture::Mine);
//! ```
//!
//! A trial plays on a runtime of its own under a limit of a minute, then has to leave no task, nothing in the
//! store, and no more threads and descriptors than before. What a fixture has no hook for shows as ignored and
//! must stand on its list of the unproven, with the reason. [`run`] plays the same cases without a process
//! exit.

mod cases;
mod drops;
mod fixture;
mod follow;
mod law;
mod leak;
mod load;
mod matrix;
mod play;
mod report;
mod runner;
mod scene;
mod suite;

pub use cases::{Case, cases};
pub use fixture::{Faults, Fixture, Meter, Missing, Peer, Property};
pub use law::Law;
pub use report::{CaseResult, Outcome, Report};
pub use runner::{Plan, run};
pub use suite::main;
