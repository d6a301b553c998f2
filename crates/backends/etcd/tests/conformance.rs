//! Every law, proved on a real etcd.

mod fixture;

reception_conformance::suite!(fixture::EtcdFixture);
