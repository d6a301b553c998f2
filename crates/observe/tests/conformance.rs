//! Every law, proved on the in-process store through the wrapper: it behaves as what it wraps.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../backends/memory/tests/fixture/mod.rs"]
mod fixture;

use std::{io, sync::Arc};

use fixture::MemoryFixture;
use reception_conformance::{Faults, Fixture, Meter, Missing, Peer};
use reception_core::{Client, Clock, Result};
use tokio::runtime::Runtime;

type Store = MemoryFixture<true>;

/// The stage of the in-process store, with every client wrapped.
struct Observed(Store);

impl Fixture for Observed {
    const NAME: &'static str = "memory, observed";
    const UNPROVEN: &'static [(&'static str, &'static str)] = Store::UNPROVEN;

    fn runtime() -> io::Result<Runtime> {
        Store::runtime()
    }

    fn clock() -> Clock {
        Store::clock()
    }

    async fn start() -> Result<Self, Missing> {
        Store::start().await.map(Self)
    }

    async fn stop(self: Arc<Self>) {}

    async fn dial(&self, case: &str) -> Result<Arc<dyn Client>> {
        self.0.dial(case).await.map(reception_observe::observe)
    }

    async fn exclusive(&self) -> Result<Self, Missing> {
        self.0.exclusive().await.map(Self)
    }

    fn faults(&self) -> Option<&dyn Faults> {
        self.0.faults()
    }

    fn peer(&self) -> Option<&dyn Peer> {
        self.0.peer()
    }

    fn meter(&self) -> Option<&dyn Meter> {
        self.0.meter()
    }

    async fn residue(&self, case: &str) -> Vec<String> {
        self.0.residue(case).await
    }
}

reception_conformance::suite!(Observed);
