//! The ways in which a client is broken, each against one law.

use reception_conformance::Law;

/// What a double does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    // L1
    SwallowsUpdates,
    ListsWhoIsNotUp,
    // L2
    StartsWithAPatch,
    SaysNothingWhenEmpty,
    SaysNothingWhenVacant,
    // L3
    DropsRemovals,
    WatchesWhoIsNotUp,
    // L4
    EmptiesOnError,
    PatchesAfterStale,
    AnswersEmptyWhenCut,
    ForgetsTheLeaderOnError,
    // L5
    EndsOnError,
    EndsWithoutAnError,
    // L6
    ForgetsToWithdraw,
    ComesBackAfterClose,
    IgnoresADroppedGuard,
    UnderstatesItsCrashBound,
    // L7
    GivesUpInDoubt,
    FlapsInDoubt,
    // L8
    HidesConflicts,
    AlwaysReplaces,
    // L9
    LeadsBesideOthers,
    // L10
    RepeatsTokens,
    // L11
    OutlivesItsDeadline,
    LearnsOfItsLossLate,
    // L12
    KeepsADroppedCandidate,
    LosesAnUnpolledWin,
    IgnoresCancel,
    // L13
    AnswersAfterClose,
    // L14
    LeaksATask,
    LeaksAThread,
    LeaksADescriptor,
    LeavesARecord,
    // L15
    ChecksNothing,
    AsksBeforeItChecks,
    // L16
    ChokesOnForeignRecords,
    CountsNoForeignRecords,
    SweepsForeignRecords,
    // L17
    OpensAWatchPerWatcher,
    // L18
    ListsAtEveryChange,
    ResetsAtEveryChange,
}

/// A double: what is wrong with it, against which law, and the case that has to say so in these words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bite {
    pub(crate) law: Law,
    pub(crate) flaw: Flaw,
    pub(crate) name: &'static str,
    pub(crate) case: &'static str,
    pub(crate) words: &'static str,
}

macro_rules! bites {
    ($($law:ident { $($flaw:ident: $case:literal, $words:literal;)+ })+) => {
        /// Every double; the first is the untouched client.
        pub(crate) const BITES: &[Bite] = &[
            Bite { law: Law::L1, flaw: Flaw::None, name: "untouched", case: "", words: "" },
            $($(Bite {
                law: Law::$law,
                flaw: Flaw::$flaw,
                name: stringify!($flaw),
                case: $case,
                words: $words,
            },)+)+
        ];
    };
}

bites! {
    L1 {
        SwallowsUpdates: "an_update_is_listed", "the list after an update";
        ListsWhoIsNotUp: "an_instance_that_is_not_up_needs_any_status", "the default list";
    }
    L2 {
        StartsWithAPatch: "an_empty_watch_starts_with_a_reset", "the first good item is a Patch";
        SaysNothingWhenEmpty: "an_empty_watch_starts_with_a_reset", "the next item of the watch did not end";
        SaysNothingWhenVacant: "an_observation_starts_vacant_or_with_the_leader", "the next observation did not end";
    }
    L3 {
        DropsRemovals: "the_view_equals_the_list_after_any_churn", "waiting until the view equals";
        WatchesWhoIsNotUp: "a_watch_shows_who_is_up_unless_asked_for_all", "waiting until the watch shows []";
    }
    L4 {
        EmptiesOnError: "a_cut_keeps_the_view_and_ends_in_a_reset", "in a cut";
        PatchesAfterStale: "a_cut_keeps_the_view_and_ends_in_a_reset", "a Patch follows Stale";
        AnswersEmptyWhenCut: "an_unreachable_store_is_an_error_and_not_an_empty_answer", "list in a cut";
        ForgetsTheLeaderOnError: "an_observation_keeps_its_leader_through_a_cut", "while the store cannot be reached";
    }
    L5 {
        EndsOnError: "a_cut_never_ends_a_stream", "the watch failed";
        EndsWithoutAnError: "a_stream_ends_only_after_a_final_error", "ended without an error";
    }
    L6 {
        ForgetsToWithdraw: "a_closed_registration_is_gone", "the list after close";
        ComesBackAfterClose: "an_update_under_way_does_not_bring_back_what_was_closed", "";
        IgnoresADroppedGuard: "dropping_a_registration_withdraws_it", "the list shows []";
        UnderstatesItsCrashBound: "a_killed_client_is_gone_within_the_crash_bound", "the list shows []";
    }
    L7 {
        GivesUpInDoubt: "a_cut_longer_than_the_lease_ends_in_a_return", "Ended";
        FlapsInDoubt: "a_cut_shorter_than_the_lease_costs_nothing", "the instance went away";
    }
    L8 {
        HidesConflicts: "a_second_owner_is_refused_at_once_when_asked_to_fail", "accepted, expected [Conflict]";
        AlwaysReplaces: "of_many_claims_at_once_one_wins", "5 of 5 claims";
    }
    L9 {
        LeadsBesideOthers: "one_of_many_leads_at_a_time", "2 tenures are held at one instant";
    }
    L10 {
        RepeatsTokens: "tokens_grow_from_round_to_round", "the token went from";
    }
    L11 {
        OutlivesItsDeadline: "a_running_program_stops_at_the_deadline", "run did not end";
        LearnsOfItsLossLate: "the_deadline_lies_before_the_hand_over", "a successor won before the deadline";
    }
    L12 {
        KeepsADroppedCandidate: "a_dropped_elect_leaves_no_candidate", "wait in line";
        LosesAnUnpolledWin: "a_win_that_nobody_polls_goes_to_the_rival", "the rival of a dropped win did not end";
        IgnoresCancel: "a_canceled_elect_leaves_no_candidate", "elect did not end";
    }
    L13 {
        AnswersAfterClose: "after_close_every_call_answers_closed", "list: accepted, expected [Closed]";
    }
    L14 {
        LeaksATask: "after_close_nothing_is_left", "1 live tasks, 0 at the start";
        LeaksAThread: "clients_come_and_go_without_a_trace", "threads and descriptors";
        LeaksADescriptor: "clients_come_and_go_without_a_trace", "threads and descriptors";
        LeavesARecord: "after_close_nothing_is_left", "what the store holds after close";
    }
    L15 {
        ChecksNothing: "what_breaks_a_limit_is_refused_with_a_typed_error", "register: accepted";
        AsksBeforeItChecks: "a_bad_value_costs_no_request", "135 requests";
    }
    L16 {
        ChokesOnForeignRecords: "what_cannot_be_read_is_counted_and_hides_nothing", "a record cannot be read";
        CountsNoForeignRecords: "a_watch_goes_on_past_what_it_cannot_read", "is counted";
        SweepsForeignRecords: "a_record_of_somebody_else_is_read", "the list: expected [\"theirs\"]";
    }
    L17 {
        OpensAWatchPerWatcher: "many_watchers_share_one_watch_at_the_store", "watches at the store";
    }
    L18 {
        ListsAtEveryChange: "the_cost_of_a_change_does_not_grow_with_the_service", "bytes with 1,000 instances";
        ResetsAtEveryChange: "a_change_in_a_large_service_is_a_patch_of_one", "came as Reset";
    }
}
