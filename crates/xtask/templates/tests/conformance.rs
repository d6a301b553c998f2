//! The laws on NAME.

mod fixture;

reception_conformance::suite!(fixture::Stand);
