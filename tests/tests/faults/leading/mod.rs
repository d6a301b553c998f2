//! Faults of leaders and candidates.

pub(crate) mod crowd;
mod cut;
pub(crate) mod death;
pub(crate) mod field;
mod judge;
mod reports;
pub(crate) mod silence;
mod slow;
mod taken;

use crowd::a_failover_wakes_only_the_next_in_line;
use cut::{
    a_renewal_whose_reply_is_cut_costs_no_leadership_at_2_s,
    a_renewal_whose_reply_is_cut_costs_no_leadership_at_10_s,
    cuts_before_the_reply_make_no_second_leader_at_2_s, cuts_before_the_reply_make_no_second_leader_at_10_s,
};
use death::{
    a_killed_leader_is_followed_by_one_other_at_2_s, a_killed_leader_is_followed_by_one_other_at_10_s,
    a_leader_stopped_before_its_write_is_refused, a_stopped_leader_wakes_up_as_none_at_2_s,
    a_stopped_leader_wakes_up_as_none_at_10_s,
};
use silence::{
    a_half_open_link_shows_as_stale_and_its_leader_steps_down,
    a_leader_that_hears_nothing_steps_down_before_the_next_leads_at_2_s,
    a_leader_that_hears_nothing_steps_down_before_the_next_leads_at_10_s,
    a_leader_that_nobody_hears_steps_down_before_the_next_leads,
    a_leader_that_was_silenced_comes_back_as_a_candidate, a_lease_that_outlives_its_deadline_is_not_led_on,
    a_lease_that_outlives_its_deadline_is_not_led_on_at_10_s,
    a_paused_server_shows_as_stale_and_nobody_leads,
    a_silenced_leader_steps_down_before_the_next_leads_at_2_s,
    a_silenced_leader_steps_down_before_the_next_leads_at_10_s,
};
use slow::{
    a_delay_of_a_fifth_is_led_through_and_of_a_half_is_a_clean_loss,
    an_answer_that_comes_late_when_nothing_goes_out_any_more_buys_no_time,
    answers_that_come_late_before_a_silence_buy_no_time,
};
use taken::{
    a_leader_whose_key_is_deleted_knows_at_once_at_2_s, a_leader_whose_key_is_deleted_knows_at_once_at_10_s,
    a_leader_whose_lease_is_revoked_knows_at_once_at_2_s,
    a_leader_whose_lease_is_revoked_knows_at_once_at_10_s,
};

use crate::{scenario, scenario::Scenario};

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario!(1, a_killed_leader_is_followed_by_one_other_at_2_s),
    scenario!(1, a_killed_leader_is_followed_by_one_other_at_10_s),
    scenario!(2, a_stopped_leader_wakes_up_as_none_at_2_s),
    scenario!(2, a_stopped_leader_wakes_up_as_none_at_10_s),
    scenario!(3, a_leader_stopped_before_its_write_is_refused),
    scenario!(4, a_silenced_leader_steps_down_before_the_next_leads_at_2_s),
    scenario!(4, a_silenced_leader_steps_down_before_the_next_leads_at_10_s),
    scenario!(5, a_leader_that_was_silenced_comes_back_as_a_candidate),
    scenario!(5, a_lease_that_outlives_its_deadline_is_not_led_on),
    scenario!(5, a_lease_that_outlives_its_deadline_is_not_led_on_at_10_s),
    scenario!(6, a_half_open_link_shows_as_stale_and_its_leader_steps_down),
    scenario!(6, a_paused_server_shows_as_stale_and_nobody_leads),
    scenario!(8, a_delay_of_a_fifth_is_led_through_and_of_a_half_is_a_clean_loss),
    scenario!(8, answers_that_come_late_before_a_silence_buy_no_time),
    scenario!(8, an_answer_that_comes_late_when_nothing_goes_out_any_more_buys_no_time),
    scenario!(9, a_leader_that_hears_nothing_steps_down_before_the_next_leads_at_2_s),
    scenario!(9, a_leader_that_hears_nothing_steps_down_before_the_next_leads_at_10_s),
    scenario!(10, a_leader_that_nobody_hears_steps_down_before_the_next_leads),
    scenario!(21, a_leader_whose_lease_is_revoked_knows_at_once_at_2_s),
    scenario!(21, a_leader_whose_lease_is_revoked_knows_at_once_at_10_s),
    scenario!(22, a_leader_whose_key_is_deleted_knows_at_once_at_2_s),
    scenario!(22, a_leader_whose_key_is_deleted_knows_at_once_at_10_s),
    scenario!(25, a_renewal_whose_reply_is_cut_costs_no_leadership_at_2_s),
    scenario!(25, a_renewal_whose_reply_is_cut_costs_no_leadership_at_10_s),
    scenario!(25, cuts_before_the_reply_make_no_second_leader_at_2_s),
    scenario!(25, cuts_before_the_reply_make_no_second_leader_at_10_s),
    scenario!(31, a_failover_wakes_only_the_next_in_line),
];
