//! Every law, proved on a real ZooKeeper that a real Exhibitor tells.

#![expect(clippy::unwrap_used, reason = "a stage that breaks fails the trial")]

mod fixture;

reception_conformance::suite!(fixture::ExhibitorFixture);
