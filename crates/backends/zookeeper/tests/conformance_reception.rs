//! The laws on a real ZooKeeper, in the format of the Go library reception.

#![expect(clippy::unwrap_used, reason = "a stage that breaks fails the trial")]

mod fixture;

use fixture::{Kind, ZooKeeperFixture};

struct Reception;

impl Kind for Reception {
    const NAME: &'static str = "zookeeper layout=reception";
    const LAYOUT: &'static str = "reception";
    const UNPROVEN: &'static [(&'static str, &'static str)] = &[
        ("l01::a_candidate_is_no_instance", "in this format the candidates are the instances"),
        (
            "l10::everyone_sees_the_token_that_the_leader_has",
            "in this format a candidate is an instance of its election: the name of its service is not kept",
        ),
    ];

    fn cannot(case: &str) -> bool {
        let named = |unproven: &str| case.starts_with(unproven);
        named("l01-a_candidate_is_no_instance") || named("l10-everyone_sees_the_token_that_the")
    }

    fn node(id: &str) -> String {
        format!("_c_{}-{id}-2000000000", "0123456789abcdef".repeat(2))
    }

    fn record(_id: &str) -> Vec<u8> {
        br#"{"address":"10.0.0.9","port":9000,"attributes":null}"#.to_vec()
    }

    fn is_of(child: &str, _data: &[u8], id: &str) -> bool {
        child.starts_with("_c_") && child.contains(&format!("-{id}-"))
    }
}

reception_conformance::suite!(ZooKeeperFixture<Reception>);
