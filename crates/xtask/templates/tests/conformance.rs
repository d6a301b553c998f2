//! The laws on __name__.

mod fixture;

reception_conformance::suite!(fixture::Stand);
