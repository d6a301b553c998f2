//! Faults of registrations and watches.

mod ambiguous;
pub(crate) mod behind;
pub(crate) mod cast;
mod certificates;
mod crowd;
pub(crate) mod ledger;
mod outage;
mod races;
mod resets;
mod restored;
mod same_id;
pub(crate) mod sight;
mod taken;
mod tokens;
mod wiped;
mod wire;

use self::{
    ambiguous::answers_that_are_lost_make_no_second_record_and_no_orphan,
    behind::{
        a_reader_that_sleeps_wakes_up_to_one_item,
        a_watch_that_missed_more_than_the_store_remembers_reads_anew,
    },
    certificates::{
        a_certificate_is_taken_anew_or_refused_with_a_typed_error,
        who_does_not_fit_is_told_and_sends_no_plain_text,
    },
    crowd::a_crowd_of_watches_costs_one_each_and_comes_back_spread,
    outage::what_is_withdrawn_in_an_outage_is_gone_after_it_and_stays_gone,
    races::{
        a_close_that_races_with_everything_leaves_nothing,
        drops_and_resets_that_race_with_everything_leave_nothing_after_the_lease,
    },
    resets::resets_every_two_seconds_cost_nothing,
    restored::a_store_set_back_to_an_older_snapshot_is_read_anew,
    same_id::{
        a_quick_restart_with_the_same_id_keeps_one_entry,
        two_processes_with_one_id_do_not_push_each_other_out,
    },
    taken::{deleted_records_are_written_again, revoked_leases_are_granted_again_at_once},
    tokens::{
        a_change_of_users_costs_one_login_each, a_token_that_ran_out_is_replaced_once,
        a_wrong_password_is_told_and_tried_slowly, missing_rights_are_told_and_cost_nothing_that_stands,
    },
    wiped::{restarts_lose_no_registration_and_end_no_stream, what_a_wiped_store_lost_is_registered_again},
};
use crate::{scenario, scenario::Scenario};

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario!(7, resets_every_two_seconds_cost_nothing),
    scenario!(17, restarts_lose_no_registration_and_end_no_stream),
    scenario!(17, what_a_wiped_store_lost_is_registered_again),
    scenario!(18, a_store_set_back_to_an_older_snapshot_is_read_anew),
    scenario!(21, revoked_leases_are_granted_again_at_once),
    scenario!(22, deleted_records_are_written_again),
    scenario!(23, a_quick_restart_with_the_same_id_keeps_one_entry),
    scenario!(24, two_processes_with_one_id_do_not_push_each_other_out),
    scenario!(25, answers_that_are_lost_make_no_second_record_and_no_orphan),
    scenario!(26, a_close_that_races_with_everything_leaves_nothing),
    scenario!(26, drops_and_resets_that_race_with_everything_leave_nothing_after_the_lease),
    scenario!(27, what_is_withdrawn_in_an_outage_is_gone_after_it_and_stays_gone),
    scenario!(28, a_watch_that_missed_more_than_the_store_remembers_reads_anew),
    scenario!(29, a_reader_that_sleeps_wakes_up_to_one_item),
    scenario!(30, a_crowd_of_watches_costs_one_each_and_comes_back_spread),
    scenario!(33, a_change_of_users_costs_one_login_each),
    scenario!(33, a_token_that_ran_out_is_replaced_once),
    scenario!(33, a_wrong_password_is_told_and_tried_slowly),
    scenario!(33, missing_rights_are_told_and_cost_nothing_that_stands),
    scenario!(34, a_certificate_is_taken_anew_or_refused_with_a_typed_error),
    scenario!(34, who_does_not_fit_is_told_and_sends_no_plain_text),
];
