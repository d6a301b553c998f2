//! Every law that a list can show.

mod fixture;

reception_conformance::suite!(fixture::StaticFixture);
