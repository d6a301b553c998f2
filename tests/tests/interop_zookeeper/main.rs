//! Apache Curator's own classes and this library on one ZooKeeper: records, changes and elections, both ways.
#![expect(clippy::expect_used, reason = "a test may panic")]
#![expect(clippy::panic, reason = "a test may panic")]

mod changes;
mod curator;
mod elections;
mod party;
mod records;

use std::time::Duration;

/// The life of a session on both sides.
const SESSION: Duration = Duration::from_secs(4);

/// Where the services stand.
const BASE: &str = "/discovery";
