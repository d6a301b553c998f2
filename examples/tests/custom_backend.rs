//! The laws on the backend of the `custom_backend` example: all that a backend outside this repository has to write.

#[path = "../examples/custom_backend/shelf/mod.rs"]
mod shelf;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use reception_conformance::{Fixture, Missing, suite};
use reception_core::{Client, Dialer, Result};
use shelf::Shelf;

// Why a case is not proved here. A backend with a real server brings these hooks: see `docs/adding-a-backend.md`.
const NO_FAULTS: &str =
    "a shelf cannot be cut off, expire or restart: nothing lies between it and its clients";
const NO_PEER: &str = "a shelf holds no bytes that anybody else could write";
const NO_METER: &str = "a call on a shelf is no request, so there is nothing to count";

/// Holds the shelves of the cases, so that a shelf outlives its clients as a server would.
#[derive(Default)]
struct Stand {
    shelves: Mutex<BTreeMap<String, Arc<Shelf>>>,
}

impl Stand {
    fn keep(&self, case: &str) {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.entry(case.to_owned()).or_insert_with(|| Shelf::named(case));
    }
}

impl Fixture for Stand {
    const NAME: &'static str = "shelf";
    const UNPROVEN: &'static [(&'static str, &'static str)] = &[
        ("l02::a_stream_that_starts_in_a_cut_is_stale_first", NO_FAULTS),
        ("l03::a_death_in_a_cut_is_seen_after_it", NO_FAULTS),
        ("l03::a_gap_with_many_changes_loses_none", NO_FAULTS),
        ("l03::a_removal_by_somebody_else_in_a_cut_is_not_lost", NO_FAULTS),
        ("l03::a_restart_of_the_store_loses_no_change", NO_FAULTS),
        ("l04::a_cut_keeps_the_view_and_ends_in_a_reset", NO_FAULTS),
        ("l04::a_late_watcher_in_a_cut_sees_no_empty_view", NO_FAULTS),
        ("l04::a_restart_of_the_store_keeps_the_view", NO_FAULTS),
        ("l04::an_observation_keeps_its_leader_through_a_cut", NO_FAULTS),
        ("l04::an_unreachable_store_is_an_error_and_not_an_empty_answer", NO_FAULTS),
        ("l05::a_cut_never_ends_a_stream", NO_FAULTS),
        ("l06::a_close_in_a_cut_is_gone_within_the_crash_bound", NO_FAULTS),
        ("l06::a_killed_client_is_gone_within_the_crash_bound", NO_FAULTS),
        ("l07::a_cut_longer_than_the_lease_ends_in_a_return", NO_FAULTS),
        ("l07::a_cut_shorter_than_the_lease_costs_nothing", NO_FAULTS),
        ("l07::a_lost_lease_is_repaired_with_one_return", NO_FAULTS),
        ("l07::a_restart_of_the_store_keeps_what_is_registered", NO_FAULTS),
        ("l08::waiting_outlives_an_owner_that_is_dying", NO_FAULTS),
        ("l09::a_leader_behind_a_cut_steps_down_before_the_next", NO_FAULTS),
        ("l09::a_leader_whose_claim_is_revoked_notices_soon", NO_FAULTS),
        ("l09::a_paused_store_has_one_leader", NO_FAULTS),
        ("l09::a_restart_of_the_store_keeps_one_leader", NO_FAULTS),
        ("l10::tokens_grow_over_a_restart_of_the_store", NO_FAULTS),
        ("l10::tokens_grow_over_lost_leases_and_deaths", NO_FAULTS),
        ("l11::a_leadership_ends_at_its_deadline_by_the_clock", NO_FAULTS),
        ("l11::a_running_program_stops_at_the_deadline", NO_FAULTS),
        ("l11::lost_is_ready_at_its_first_poll_after_the_deadline", NO_FAULTS),
        ("l11::lost_wakes_who_waits_at_the_deadline", NO_FAULTS),
        ("l11::the_deadline_lies_before_the_hand_over", NO_FAULTS),
        ("l12::an_elect_canceled_in_a_cut_is_withdrawn_after_it", NO_FAULTS),
        ("l13::a_call_in_a_cut_ends_when_the_client_closes", NO_FAULTS),
        ("l14::a_close_in_a_cut_leaves_no_task", NO_FAULTS),
        ("l15::a_bad_value_is_refused_though_the_store_is_away", NO_FAULTS),
        ("l07::a_record_that_somebody_deletes_comes_back", NO_PEER),
        ("l16::a_foreign_id_may_break_our_limits", NO_PEER),
        ("l16::a_foreign_writer_of_an_id_is_seen_as_what_it_wrote", NO_PEER),
        ("l16::a_record_of_somebody_else_is_read", NO_PEER),
        ("l16::a_watch_goes_on_past_what_it_cannot_read", NO_PEER),
        ("l16::what_cannot_be_read_is_counted_and_hides_nothing", NO_PEER),
        ("l15::a_bad_value_costs_no_request", NO_METER),
        ("l17::a_change_costs_the_same_for_one_watcher_and_for_many", NO_METER),
        ("l17::many_watchers_share_one_watch_at_the_store", NO_METER),
        ("l18::the_cost_of_a_change_does_not_grow_with_the_service", NO_METER),
    ];

    async fn start() -> Result<Self, Missing> {
        Ok(Self::default())
    }

    async fn stop(self: Arc<Self>) {}

    async fn dial(&self, case: &str) -> Result<Arc<dyn Client>> {
        self.keep(case);
        Dialer::new().with(shelf::BACKEND)?.dial(&format!("shelf://{case}")).await
    }

    async fn exclusive(&self) -> Result<Self, Missing> {
        Ok(Self::default())
    }

    async fn residue(&self, case: &str) -> Vec<String> {
        let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.get(case).map(|shelf| shelf.contents()).unwrap_or_default()
    }
}

suite!(Stand);
