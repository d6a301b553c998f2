//! The one table of cases: each with its law, its name, what it needs of the fixture, and the play itself.

mod claiming;
mod counting;
mod deadline;
mod ends;
mod foreign;
mod gaps;
mod keeping;
mod leading;
mod leaving;
mod limits;
mod listing;
mod standing;
mod watching;
mod withdrawing;

use std::fmt;

use futures_util::future::BoxFuture;

use crate::{
    law::Law,
    scene::{Result, Scene},
};

/// What a case needs beside clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To be the only trial that runs, since it counts what belongs to the process, or takes so much of it that others would see it
    /// in their count (a store may need a descriptor for each instance).
    Alone,
    /// A store of its own.
    Exclusive,
    /// The hook that breaks things.
    Faults,
    /// The hook that counts.
    Meter,
    /// The hook that writes as somebody else.
    Peer,
}

/// One case: a law, and a play that shows it held or broken.
#[derive(Clone, Copy)]
pub struct Case {
    pub(crate) law: Law,
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) play: fn(Scene) -> BoxFuture<'static, Result>,
}

impl Case {
    /// The law that the case is about.
    #[must_use]
    pub const fn law(&self) -> Law {
        self.law
    }

    /// The name, which starts with the law: `l05::a_cut_never_ends_a_stream`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// Every case, by law.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter()
}

macro_rules! table {
    ($($law:ident $number:literal { $($theme:ident::$name:ident $(needs $($need:ident),+)?;)+ })+) => {
        /// Every case, by law.
        pub(crate) static CASES: &[Case] = &[$($(Case {
            law: Law::$law,
            name: concat!($number, "::", stringify!($name)),
            needs: &[$($(Need::$need),+)?],
            play: |scene| Box::pin(async move { $theme::$name(&scene).await }),
        },)+)+];
    };
}

table! {
    L1 "l01" {
        listing::a_registered_instance_is_listed;
        listing::an_update_is_listed;
        listing::many_registrations_are_all_listed;
        listing::an_instance_that_is_not_up_needs_any_status;
        listing::what_was_written_reads_back_to_the_letter;
        listing::names_show_what_is_registered;
        listing::a_candidate_is_no_instance;
        listing::namespaces_do_not_see_each_other;
        listing::a_probe_tells_of_the_store;
        listing::a_list_of_what_nobody_registered_is_empty;
    }
    L2 "l02" {
        watching::an_empty_watch_starts_with_a_reset;
        watching::a_watch_starts_with_a_reset_of_what_is_there;
        watching::an_observation_starts_vacant_or_with_the_leader;
        watching::a_stream_that_starts_in_a_cut_is_stale_first needs Faults;
    }
    L3 "l03" {
        watching::every_change_reaches_the_watch_of_another_client;
        watching::the_view_equals_the_list_after_any_churn;
        watching::a_slow_reader_gets_the_difference_and_not_the_history;
        watching::a_watch_shows_who_is_up_unless_asked_for_all;
        watching::wait_until_ends_with_the_view_that_fits;
        watching::an_observer_follows_a_hand_over;
        gaps::a_removal_by_somebody_else_in_a_cut_is_not_lost needs Faults, Peer;
        gaps::a_death_in_a_cut_is_seen_after_it needs Faults;
        gaps::a_gap_with_many_changes_loses_none needs Faults;
        gaps::a_restart_of_the_store_loses_no_change needs Faults, Exclusive;
    }
    L4 "l04" {
        gaps::a_cut_keeps_the_view_and_ends_in_a_reset needs Faults;
        gaps::a_late_watcher_in_a_cut_sees_no_empty_view needs Faults;
        gaps::an_observation_keeps_its_leader_through_a_cut needs Faults;
        gaps::an_unreachable_store_is_an_error_and_not_an_empty_answer needs Faults;
        gaps::a_restart_of_the_store_keeps_the_view needs Faults, Exclusive;
    }
    L5 "l05" {
        ends::a_stream_ends_only_after_a_final_error;
        ends::a_service_that_nobody_has_is_watched_all_the_same;
        ends::a_dropped_watch_does_not_end_its_neighbour;
        ends::a_runtime_that_ends_under_a_client_ends_its_streams;
        ends::a_cut_never_ends_a_stream needs Faults;
    }
    L6 "l06" {
        withdrawing::a_closed_registration_is_gone;
        withdrawing::an_update_under_way_does_not_bring_back_what_was_closed;
        withdrawing::dropping_a_registration_withdraws_it;
        withdrawing::closing_a_client_withdraws_all_of_it;
        withdrawing::a_dropped_register_leaves_no_instance;
        withdrawing::a_dropped_close_withdraws_all_the_same;
        withdrawing::a_killed_client_is_gone_within_the_crash_bound needs Faults;
        withdrawing::a_close_in_a_cut_is_gone_within_the_crash_bound needs Faults;
    }
    L7 "l07" {
        keeping::a_guard_keeps_its_client_alive;
        keeping::a_lost_lease_is_repaired_with_one_return needs Faults;
        keeping::a_cut_shorter_than_the_lease_costs_nothing needs Faults;
        keeping::a_cut_longer_than_the_lease_ends_in_a_return needs Faults;
        keeping::a_record_that_somebody_deletes_comes_back needs Peer;
        keeping::a_restart_of_the_store_keeps_what_is_registered needs Faults, Exclusive;
    }
    L8 "l08" {
        claiming::a_second_owner_is_refused_at_once_when_asked_to_fail;
        claiming::waiting_for_a_living_owner_ends_in_a_conflict;
        claiming::waiting_ends_when_the_owner_leaves;
        claiming::replacing_ends_the_first_owner;
        claiming::a_client_registers_an_id_once;
        claiming::of_many_claims_at_once_one_wins;
        withdrawing::a_freed_id_can_be_taken_at_once;
        claiming::waiting_outlives_an_owner_that_is_dying needs Faults;
    }
    L9 "l09" {
        leading::one_of_many_leads_at_a_time;
        leading::candidates_stand_in_the_order_of_their_coming;
        leading::an_observer_needs_no_candidate;
        leading::a_leader_behind_a_cut_steps_down_before_the_next needs Faults;
        leading::a_leader_whose_claim_is_revoked_notices_soon needs Faults;
        leading::a_paused_store_has_one_leader needs Faults, Exclusive;
        leading::a_restart_of_the_store_keeps_one_leader needs Faults, Exclusive;
    }
    L10 "l10" {
        leading::tokens_grow_from_round_to_round;
        leading::tokens_grow_after_everyone_has_left;
        leading::everyone_sees_the_token_that_the_leader_has;
        leading::tokens_grow_over_lost_leases_and_deaths needs Faults;
        leading::tokens_grow_over_a_restart_of_the_store needs Faults, Exclusive;
    }
    L11 "l11" {
        deadline::a_resigned_leadership_is_over_at_once;
        deadline::a_leadership_in_good_health_outlives_its_lease;
        deadline::a_leadership_ends_at_its_deadline_by_the_clock needs Faults;
        deadline::lost_is_ready_at_its_first_poll_after_the_deadline needs Faults;
        deadline::lost_wakes_who_waits_at_the_deadline needs Faults;
        deadline::a_running_program_stops_at_the_deadline needs Faults;
        deadline::the_deadline_lies_before_the_hand_over needs Faults;
    }
    L12 "l12" {
        standing::a_canceled_elect_leaves_no_candidate;
        standing::cancel_ends_every_elect_of_its_elector_alone;
        standing::a_cancel_with_nothing_to_cancel_is_ok;
        standing::a_dropped_elect_leaves_no_candidate;
        standing::a_win_that_nobody_polls_goes_to_the_rival;
        standing::a_first_win_that_nobody_polls_is_given_back;
        standing::an_elect_dropped_at_any_poll_leaves_the_way_free;
        standing::a_waiting_elect_dropped_at_any_poll_leaves_the_line;
        standing::a_dropped_leadership_goes_to_the_next;
        standing::a_candidate_stands_once;
        standing::a_candidate_that_gave_up_may_stand_again_at_once;
        standing::an_elect_canceled_in_a_cut_is_withdrawn_after_it needs Faults;
    }
    L13 "l13" {
        ends::after_close_every_call_answers_closed;
        ends::after_close_every_guard_has_ended;
        ends::a_close_ends_a_pending_elect;
        ends::closing_twice_and_at_once_is_the_same;
        ends::a_call_under_way_ends_when_the_client_closes;
        ends::a_call_in_a_cut_ends_when_the_client_closes needs Faults;
    }
    L14 "l14" {
        leaving::after_close_nothing_is_left;
        leaving::dropping_everything_leaves_nothing;
        leaving::guards_that_end_leave_nothing_while_the_client_lives;
        leaving::a_dial_that_is_never_used_leaves_nothing;
        leaving::a_dropped_watch_leaves_nothing;
        leaving::a_dropped_close_can_be_closed_again;
        leaving::a_close_in_a_cut_leaves_no_task needs Faults;
        leaving::clients_come_and_go_without_a_trace needs Alone;
    }
    L15 "l15" {
        limits::what_breaks_a_limit_is_refused_with_a_typed_error;
        limits::a_bad_election_name_is_refused;
        limits::a_bad_update_is_refused_and_changes_nothing;
        limits::a_bad_value_is_refused_though_the_store_is_away needs Faults;
        limits::a_bad_value_costs_no_request needs Exclusive, Meter;
    }
    L16 "l16" {
        foreign::a_record_of_somebody_else_is_read needs Peer;
        foreign::a_foreign_id_may_break_our_limits needs Peer;
        foreign::what_cannot_be_read_is_counted_and_hides_nothing needs Peer;
        foreign::a_watch_goes_on_past_what_it_cannot_read needs Peer;
        foreign::a_foreign_writer_of_an_id_is_seen_as_what_it_wrote needs Peer;
    }
    L17 "l17" {
        counting::many_watchers_all_see_every_change;
        counting::many_watchers_share_one_watch_at_the_store needs Exclusive, Meter;
        counting::a_change_costs_the_same_for_one_watcher_and_for_many needs Exclusive, Meter;
    }
    L18 "l18" {
        counting::a_change_in_a_large_service_is_a_patch_of_one needs Alone;
        counting::the_cost_of_a_change_does_not_grow_with_the_service needs Alone, Exclusive, Meter;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_law_has_cases_and_every_name_is_its_own() {
        for law in Law::ALL {
            let prefix = format!("l{:02}::", law.number());
            assert!(CASES.iter().any(|case| case.law == law), "{law} has no case");
            assert!(CASES.iter().all(|case| (case.law == law) == case.name.starts_with(&prefix)), "{law}");
        }
        let names: BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
    }
}
