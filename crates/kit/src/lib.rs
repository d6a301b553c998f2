//! What Reception backends share and would otherwise write again.
//!
//! A backend brings four small pieces of I/O: a [`Slot`] (one registration), a [`Source`] (one
//! watch), a [`Claim`] (one candidacy) and its session. The kit brings the behaviour around them:
//! one task owns each registration, watch and candidacy, every task is named, cancelled and joined,
//! and what a task does next is decided by a machine without I/O or clock.
//!
//! | file | owns |
//! |---|---|
//! | `supervise` | tasks: the only place that spawns |
//! | `slot`, `keeper`, `register` | one registration: the machine, and the task around it |
//! | `follow`, `feed` | one upstream watch: the machine, and the task around it |
//! | `mailbox`, `room`, `hub`, `watcher` | fan-out to any number of readers, bounded by the size of the set |
//! | `wanted` | which ids one client holds itself |
//! | `claim`, `elect`, `contest` | one candidacy: waiting, leading until the deadline, releasing |
//! | `backoff`, `deadline` | when to try again, when to stop waiting |
//! | `go_json` | JSON as Go's encoder writes it |
//! | `options` | what options share: who logs in, TLS, hosts, bounds |
//! | `signal` | every event and metric of the kit |
//!
//! This crate is exempt from semver: depend on an exact version.

mod backoff;
mod claim;
mod contest;
mod deadline;
mod elect;
mod feed;
mod follow;
pub mod go_json;
mod hub;
mod keeper;
mod mailbox;
pub mod options;
pub mod record;
mod register;
mod room;
pub mod signal;
mod slot;
mod supervise;
#[cfg(test)]
mod testing;
#[cfg(feature = "tls")]
pub mod tls;
mod view;
mod wanted;
mod watcher;

pub use backoff::Backoff;
pub use claim::{Claim, Pulse, Standing, Won};
pub use contest::{Contest, Entry};
pub use deadline::{readable, sleep_until, within};
pub use elect::elect;
pub use feed::{Break, Source};
pub use hub::{Feed, Hub};
pub use mailbox::Event;
pub use register::register;
pub use slot::{Attempt, Keeping, News, Slot};
pub use supervise::{Lifeline, Supervisor};
pub use tokio_util::sync::CancellationToken;
pub use view::{Holder, View};
pub use wanted::Wanted;
pub use watcher::{SnapshotWatcher, observation};
