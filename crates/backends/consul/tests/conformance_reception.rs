//! Every law on a real Consul, in the format of the Go library reception.

#![expect(clippy::unwrap_used, reason = "a stage that breaks fails the trial")]

mod fixture;

use fixture::{ConsulFixture, Kind};

struct Go;

impl Kind for Go {
    const NAME: &'static str = "consul layout=reception";
    const GO: bool = true;
    const UNPROVEN: &'static [(&'static str, &'static str)] = &[
        ("l09::candidates_stand_in_the_order_of_their_coming", "a lock tells who holds it and nobody else"),
        (
            "l01::names_show_what_is_registered",
            "in this format an agent has one of each id, whatever the service: the case has one in three",
        ),
    ];

    fn cannot(case: &str) -> bool {
        case.starts_with("l01-names_show_what_is_register")
    }

    fn options(_case: &str) -> &'static str {
        "&layout=reception"
    }
}

reception_conformance::suite!(ConsulFixture<Go>);
