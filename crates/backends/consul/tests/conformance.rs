//! Every law, proved on a real Consul.

#![expect(clippy::unwrap_used, reason = "a stage that breaks fails the trial")]

mod fixture;

use fixture::{ConsulFixture, Native};

reception_conformance::suite!(ConsulFixture<Native>);
