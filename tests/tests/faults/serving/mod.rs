//! Faults of registrations and watches.

mod cast;
mod ledger;
mod outage;
mod resets;
mod restored;
mod sight;
mod taken;
mod wiped;

use crate::scenario::Scenario;

use outage::what_is_withdrawn_in_an_outage_is_gone_after_it_and_stays_gone;
use resets::resets_every_two_seconds_cost_nothing;
use restored::a_store_set_back_to_an_older_snapshot_is_read_anew;
use taken::{deleted_records_are_written_again, revoked_leases_are_granted_again_at_once};
use wiped::{restarts_lose_no_registration_and_end_no_stream, what_a_wiped_store_lost_is_registered_again};

pub(crate) const SCENARIOS: &[Scenario] = &[
    crate::scenario!(7, resets_every_two_seconds_cost_nothing),
    crate::scenario!(17, restarts_lose_no_registration_and_end_no_stream),
    crate::scenario!(17, what_a_wiped_store_lost_is_registered_again),
    crate::scenario!(18, a_store_set_back_to_an_older_snapshot_is_read_anew),
    crate::scenario!(21, revoked_leases_are_granted_again_at_once),
    crate::scenario!(22, deleted_records_are_written_again),
    crate::scenario!(27, what_is_withdrawn_in_an_outage_is_gone_after_it_and_stays_gone),
];
