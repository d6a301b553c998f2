//! Every law again on real time and two threads, where events come in any order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fixture;

reception_conformance::suite!(fixture::MemoryFixture<false>);
