//! Every law that a machine without a server can show, proved in a folder in memory.

#![cfg(any(target_os = "linux", target_os = "macos"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fixture;

reception_conformance::suite!(fixture::LocalFixture);
