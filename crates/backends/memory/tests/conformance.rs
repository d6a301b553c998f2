//! Every law, proved on the in-process store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fixture;

reception_conformance::suite!(fixture::MemoryFixture<true>);
