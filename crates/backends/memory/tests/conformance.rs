//! Every law, proved on the in-process store.

mod fixture;

reception_conformance::suite!(fixture::MemoryFixture);
