//! Every law, proved on a real Consul.

#![expect(clippy::unwrap_used, reason = "a stage that breaks fails the trial")]

mod fixture;

reception_conformance::suite!(fixture::ConsulFixture);
