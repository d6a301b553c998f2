//! Every law, proved on a real ZooKeeper.

#![expect(clippy::unwrap_used, reason = "a stage that breaks fails the trial")]

mod fixture;

use fixture::{Curator, ZooKeeperFixture};

reception_conformance::suite!(ZooKeeperFixture<Curator>);
