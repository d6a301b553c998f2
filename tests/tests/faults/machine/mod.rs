//! Faults of a store that is a folder of this machine. Where the shared scenarios break a connection, a lease or a server, there is none here:
//! what stands in their place is a hand at the files, a way to the folder that is cut, and a process that stands still.

mod hand;
mod leaders;
mod storm;
mod views;

use hand::{
    a_leader_stopped_before_its_write_is_refused_once_its_lock_was_taken,
    a_leader_whose_lock_file_is_removed_knows_before_the_next_leads, whatever_a_hand_removes_no_two_lead,
};
use leaders::{
    a_leader_that_loses_its_folder_steps_down_before_the_next_leads, a_long_line_is_followed_one_by_one,
    a_stopped_leader_leads_on_and_is_followed_once_it_is_killed,
};
use storm::contenders_killed_and_stopped_at_random_never_lead_twice;
use views::{
    a_watch_that_missed_a_thousand_changes_reads_anew, what_is_withdrawn_in_a_cut_is_gone_at_once_for_good,
};

use crate::{scenario, scenario::Scenario};

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario!(1, contenders_killed_and_stopped_at_random_never_lead_twice),
    scenario!(2, a_stopped_leader_leads_on_and_is_followed_once_it_is_killed),
    scenario!(3, a_leader_stopped_before_its_write_is_refused_once_its_lock_was_taken),
    scenario!(5, a_leader_that_loses_its_folder_steps_down_before_the_next_leads),
    scenario!(21, whatever_a_hand_removes_no_two_lead),
    scenario!(22, a_leader_whose_lock_file_is_removed_knows_before_the_next_leads),
    scenario!(27, what_is_withdrawn_in_a_cut_is_gone_at_once_for_good),
    scenario!(28, a_watch_that_missed_a_thousand_changes_reads_anew),
    scenario!(31, a_long_line_is_followed_one_by_one),
];

const NO_WIRE: &str = "there is no connection that could be broken";
const NO_SERVER: &str = "there is no server that could be killed or stopped";
const NO_LEASE: &str =
    "a claim ends with its process, and one that is stopped keeps it; another form is played";
const OTHER: &str = "there is no connection; another form is played";
const ONCE: &str = "nothing has a ttl; played once";
const NO_USERS: &str = "a folder has rights, and no users with passwords or tokens";

/// The shared scenarios that a folder cannot play, each with its reason.
pub(crate) const LEFT_OUT: &[(&str, &str)] = &[
    ("a_killed_leader_is_followed_by_one_other_at_10_s", ONCE),
    ("a_stopped_leader_wakes_up_as_none_at_2_s", NO_LEASE),
    ("a_stopped_leader_wakes_up_as_none_at_10_s", NO_LEASE),
    ("a_leader_stopped_before_its_write_is_refused", NO_LEASE),
    ("a_silenced_leader_steps_down_before_the_next_leads_at_2_s", NO_WIRE),
    ("a_silenced_leader_steps_down_before_the_next_leads_at_10_s", NO_WIRE),
    ("a_leader_that_was_silenced_comes_back_as_a_candidate", OTHER),
    ("a_lease_that_outlives_its_deadline_is_not_led_on", NO_SERVER),
    ("a_lease_that_outlives_its_deadline_is_not_led_on_at_10_s", NO_SERVER),
    ("a_half_open_link_shows_as_stale_and_its_leader_steps_down", NO_WIRE),
    ("a_paused_server_shows_as_stale_and_nobody_leads", NO_SERVER),
    ("resets_every_two_seconds_cost_nothing", NO_WIRE),
    ("a_delay_of_a_fifth_is_led_through_and_of_a_half_is_a_clean_loss", NO_WIRE),
    ("answers_that_come_late_before_a_silence_buy_no_time", NO_WIRE),
    ("an_answer_that_comes_late_when_nothing_goes_out_any_more_buys_no_time", NO_WIRE),
    ("a_leader_that_hears_nothing_steps_down_before_the_next_leads_at_2_s", NO_WIRE),
    ("a_leader_that_hears_nothing_steps_down_before_the_next_leads_at_10_s", NO_WIRE),
    ("a_leader_that_nobody_hears_steps_down_before_the_next_leads", NO_WIRE),
    ("restarts_lose_no_registration_and_end_no_stream", NO_SERVER),
    ("a_leader_whose_lease_is_revoked_knows_at_once_at_10_s", ONCE),
    ("a_leader_whose_key_is_deleted_knows_at_once_at_10_s", ONCE),
    ("a_renewal_whose_reply_is_cut_costs_no_leadership_at_2_s", NO_WIRE),
    ("a_renewal_whose_reply_is_cut_costs_no_leadership_at_10_s", NO_WIRE),
    ("cuts_before_the_reply_make_no_second_leader_at_2_s", NO_WIRE),
    ("cuts_before_the_reply_make_no_second_leader_at_10_s", NO_WIRE),
    ("answers_that_are_lost_make_no_second_record_and_no_orphan", NO_WIRE),
    ("what_is_withdrawn_in_an_outage_is_gone_after_it_and_stays_gone", OTHER),
    (
        "a_watch_that_missed_more_than_the_store_remembers_reads_anew",
        "no history is kept; another form is played",
    ),
    ("a_crowd_of_watches_costs_one_each_and_comes_back_spread", NO_SERVER),
    (
        "a_failover_wakes_only_the_next_in_line",
        "nobody counts what is asked of a folder; another form is played",
    ),
    ("a_change_of_users_costs_one_login_each", NO_USERS),
    ("a_token_that_ran_out_is_replaced_once", NO_USERS),
    ("a_wrong_password_is_told_and_tried_slowly", NO_USERS),
    ("a_certificate_is_taken_anew_or_refused_with_a_typed_error", NO_WIRE),
    ("who_does_not_fit_is_told_and_sends_no_plain_text", NO_WIRE),
];
