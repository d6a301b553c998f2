//! Every law on a real Consul whose agent asks whether the clients live.

#![expect(clippy::unwrap_used, reason = "a stage that breaks fails the trial")]

mod fixture;

use std::time::Duration;

use fixture::{ConsulFixture, Kind};

const ANEW: &str = "an agent that starts takes what it has not asked yet for dead, for an interval at most";

struct Asked;

impl Kind for Asked {
    const NAME: &'static str = "consul check=http";
    const ASKED: bool = true;
    const UNPROVEN: &'static [(&'static str, &'static str)] = &[
        ("l09::candidates_stand_in_the_order_of_their_coming", "a lock tells who holds it and nobody else"),
        ("l04::a_restart_of_the_store_keeps_the_view", ANEW),
        ("l07::a_restart_of_the_store_keeps_what_is_registered", ANEW),
    ];

    fn cannot_restart(case: &str) -> bool {
        case.starts_with("l04-a_restart_of_the_store_keep")
            || case.starts_with("l07-a_restart_of_the_store_keep")
    }

    fn before_cut(case: &str) -> Duration {
        // An agent forgives a miss of whom it has asked before.
        if case.starts_with("l07-a_cut_shorter_than_the_lease") {
            Duration::from_millis(1600)
        } else {
            Duration::ZERO
        }
    }

    fn options(case: &str) -> &'static str {
        // Two intervals are the lease, as long as that of the candidates. A thousand instances, which nobody kills, are asked less often.
        if case.starts_with("l18-") {
            "&check=http&interval=30s"
        } else {
            "&check=http&interval=1500ms&check_timeout=1s"
        }
    }
}

reception_conformance::suite!(ConsulFixture<Asked>);
