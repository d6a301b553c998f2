//! Histories that keep the letter of a promise only.

use super::{bad, breaks, good};

/// An instance in view, a fault on its process and a heal; later nobody shows it.
fn given_up(fault: &str) -> String {
    format!(
        "0 1 registered - id=a
         10 3 snapshot - watch=1 ids=a
         1000 9 fault - {fault} pids=1
         3000 9 heal - within=7000
         3001 1 state - id=a state=ended
         3002 3 snapshot - watch=1 ids=
         60000 9 note -"
    )
}

#[test]
fn an_end_that_nobody_else_caused_ends_no_registration() {
    breaks(&given_up("name=F4"), &["I3", "I10"]);
    breaks(&given_up("name=F7 short=true"), &["I3", "I7"]);
    let alone = "0 1 registered - id=a\n3001 1 state - id=a state=ended";
    bad(alone, "I3", "1 gave a up, which nobody else has registered");
    let taken = "2990 2 registered - id=a";
    good(&format!("{alone}\n{taken}"));
    good(&format!("{alone}\n{}", taken.replace("2990", "3500")));
    bad(&format!("{alone}\n60000 9 note -\n{}", taken.replace("2990", "30000")), "I3", "gave a up");
    good("0 1 registered - id=a\n3000 1 closing -\n3001 1 state - id=a state=ended\n3002 1 closed -");
}

#[test]
fn one_that_was_cut_off_hears_late_that_its_id_is_taken() {
    let late = "0 1 registered - id=a
                1000 9 fault - name=F4 pids=1
                20000 2 registered - id=a
                60000 9 heal - within=7000
                61000 1 state - id=a state=ended";
    good(late);
    bad(&late.replace("pids=1", "pids=2"), "I3", "gave a up");
}

const SHOWN: &str = "0 1 registered - id=a\n10 3 snapshot - watch=1 ids=a\n100 1 withdrawing - id=a";

#[test]
fn an_id_that_stays_after_its_withdrawal_breaks_i5() {
    let ok = format!("{SHOWN}\n110 1 withdrawn - id=a ok=true");
    bad(
        &format!("{ok}\n60000 3 snapshot - watch=1 ids=a,b"),
        "I5",
        "a is still shown long after it was withdrawn",
    );
    bad(&format!("{ok}\n60000 9 note -"), "I5", "a is still shown");
    good(&format!("{ok}\n2000 3 snapshot - watch=1 ids=\n60000 9 note -"));
    // Others of the same id.
    good(&format!("{ok}\n9000 2 registered - id=a\n60000 9 note -"));
    good(&format!("0 2 registered - id=a\n{ok}\n60000 9 note -"));
    // The watch closed, or was cut off, or stood still.
    good(&format!("{ok}\n1000 3 closing -\n60000 9 note -"));
    let cut = "1000 9 fault - name=F4 pids=3\n5000 9 heal - within=7000";
    good(&format!("{ok}\n{cut}\n11900 3 snapshot - watch=1 ids=\n60000 9 note -"));
    breaks(&format!("{ok}\n{cut}\n60000 9 note -"), &["I3", "I5"]);
    let stop = "1000 3 stopped -\n20000 3 continued -";
    good(&format!("{ok}\n{stop}\n26000 3 snapshot - watch=1 ids=\n60000 9 note -"));
}

#[test]
fn a_watch_that_says_nothing_after_a_failed_withdrawal_breaks_i5() {
    let failed = format!("{SHOWN}\n5000 1 withdrawn - id=a ok=false");
    bad(&format!("{failed}\n600000 9 note -"), "I5", "a is still shown long after its withdrawal failed");
    good(&format!("{failed}\n17000 3 snapshot - watch=1 ids=\n600000 9 note -"));
}

#[test]
fn a_forgiven_overlap_hides_no_other() {
    bad(
        "200 1 elected d:5
         1000 9 fault - name=F21 pids=1 early=true
         1001 2 elected d:6
         1002 2 claim d:6
         1200 3 elected d:7
         1201 3 claim d:7
         1390 2 claim d:6
         1391 2 lost d:6
         1400 1 claim d:5
         1401 1 lost d:5
         1402 9 heal - within=0
         5000 3 claim d:7",
        "I1",
        "2 and 3 held at once for 190.000 ms",
    );
    bad(
        "200 1 elected d:5
         1000 9 fault - name=F21 pids=1 early=true
         1000 9 heal - within=0
         1001 2 elected d:9
         1001 1 claim d:5
         1002 2 claim d:9
         60000 2 claim d:9",
        "I1",
        "1 did not know of its loss when 2 was elected",
    );
}

#[test]
fn an_early_loss_is_forgiven_right_after_its_fault_only() {
    let late = "0 1 elected d:5
                1000 9 fault - name=F21 pids=1 early=true
                59990 1 claim d:5
                60000 2 elected d:9
                60010 2 claim d:9
                60400 1 claim d:5
                60401 1 lost d:5";
    breaks(late, &["I0", "I1"]);
    bad(&format!("{late}\n60402 9 heal - within=0"), "I1", "1 and 2 held at once for 10.000 ms");
    good(&format!("{late}\n60402 9 heal - within=0").replace("1000 9 fault", "59980 9 fault"));
}

#[test]
fn no_lease_runs_out_right_after_a_fault() {
    let gone = "0 1 registered - id=a
                1 2 registered - id=b
                10 3 snapshot - watch=1 ids=a,b
                1000 9 fault - name=F17
                1010 3 snapshot - watch=1 ids=
                3000 9 heal - within=7000
                3001 3 snapshot - watch=1 ids=a,b
                60000 9 note -";
    breaks(gone, &["I10"]);
    good(&gone.replace("name=F17", "name=F17 takes=true"));
    // Nor right after a stop.
    let stop =
        gone.replace("9 fault - name=F17", "1 stopped -").replace("9 heal - within=7000", "1 continued -");
    breaks(&stop, &["I10"]);
}

#[test]
fn a_heal_that_ends_nothing_and_a_fault_without_a_heal_break_i0() {
    let misspelt = "0 1 registered - id=a
                    10 3 snapshot - watch=1 ids=a
                    1000 9 fault - name=F4 pids=1
                    2000 9 heal - name=F04 within=0
                    2001 3 snapshot - watch=1 ids=
                    600000 9 note -";
    breaks(misspelt, &["I0", "I10"]);
    breaks(&misspelt.replace("F04", "F4"), &["I3", "I10"]);
    bad("0 9 fault - name=F4", "I0", "a fault is never healed");
    bad("0 9 heal - name=F4 within=0", "I0", "a heal ends no fault");
    bad("0 9 fault - name=F4\n1 9 heal - within=0\n2 9 heal - within=0", "I0", "a heal ends no fault");
    good("0 9 heal - within=0");
}

#[test]
fn a_long_recovery_does_not_excuse_a_loss_in_a_short_fault_after_it() {
    bad(
        "0 1 elected d:1
         100 9 fault - name=A pids=1
         200 9 heal - within=60000
         1000 9 fault - name=F7 pids=1 short=true
         1500 1 lost d:1
         2000 9 heal - within=0",
        "I7",
        "1 lost its leadership in a short fault",
    );
}

#[test]
fn a_long_fault_that_begins_in_a_short_one_takes_its_place() {
    let both = "0 1 elected d:1
                1000 9 fault - name=F8 pids=1 short=true
                5000 9 fault - name=F8 pids=1
                6000 1 claim d:1
                6001 1 lost d:1
                20000 9 heal - within=0";
    good(both);
    bad(&both.replace("5000 9 fault - name=F8 pids=1", "5000 9 note -"), "I7", "lost its leadership");
}

#[test]
fn a_watch_that_never_shows_anything_is_judged_from_its_begin() {
    bad(
        "0 1 registered - id=a\n0 9 heal - within=0\n1 3 stale - watch=1 kind=unavailable\n600000 9 note -",
        "I3",
        "watch 1 of 3 does not show a",
    );
    let opened = "0 1 registered - id=a\n0 9 heal - within=0\n1 3 watching - watch=1\n600000 9 note -";
    breaks(opened, &["I3", "I4"]);
    good(&format!("{opened}\n6000 3 snapshot - watch=1 ids=a"));
    bad("1 3 watching - watch=1\n600000 9 note -", "I4", "a watch of 3 never said anything for 10s");
    good("1 3 watching - watch=1\n9000 9 note -");
    good("1 3 watching - watch=1\n5000 3 killed -\n600000 9 note -");
}

#[test]
fn a_watch_that_goes_on_showing_nothing_new_breaks_i10() {
    let frozen = "0 1 registered - id=a\n10 3 snapshot - watch=1 ids=\n600000 9 note -";
    bad(frozen, "I10", "a of 1 is live and not in view");
    good(&format!("{frozen}\n20 3 stale - watch=1 kind=unavailable"));
    good(&format!("{frozen}\n20 9 fault - name=F4 pids=3\n8000 9 heal - within=600000"));
}

#[test]
fn a_stream_that_ends_as_closed_while_its_client_is_open_breaks_i4() {
    let closed = "0 1 registered - id=a
                  0 9 heal - within=0
                  10 3 snapshot - watch=1 ids=a
                  20 3 ended - watch=1 kind=closed
                  600000 9 note -";
    bad(closed, "I4", "watch 1 of 3 ended while its client was open");
    good(&format!("{closed}\n19 3 closing -"));
}

#[test]
fn a_view_under_way_when_a_fault_begins_is_no_word_for_all_of_it() {
    let early = "0 3 snapshot - watch=1 ids=
                 1000 9 fault - name=F4 pids=3
                 1001 3 snapshot - watch=1 ids=b
                 601000 9 heal - within=7000";
    bad(early, "I4", "a watch of 3 said nothing for 10s");
    good(&format!("{early}\n9000 3 stale - watch=1 kind=unavailable"));
    // A view after it must be followed by a word as well.
    let back = format!("{early}\n9000 3 stale - watch=1 kind=unavailable\n20000 3 snapshot - watch=1 ids=b");
    bad(&back, "I4", "a watch of 3 said nothing for 10s");
    good(&format!("{back}\n29000 3 stale - watch=1 kind=unavailable"));
}

#[test]
fn a_leadership_whose_claims_stop_without_a_loss_breaks_i7_or_i9() {
    let faded = "0 1 elected d:1
                 900 1 claim d:1
                 1000 9 fault - name=F7 pids=1 short=true
                 2000 9 heal - within=5000
                 60000 9 note -";
    bad(faded, "I7", "1 neither holds its leadership any more nor has lost it");
    bad(&faded.replace(" short=true", ""), "I9", "1 neither holds its leadership any more nor has lost it");
    good(&format!("{faded}\n58500 1 claim d:1"));
    good(&format!("{faded}\n1500 1 killed -"));
    good(&format!("{faded}\n1500 1 stopped -"));
    good(&format!("{faded}\n1500 1 resigning d:1"));
}

#[test]
fn a_stop_of_another_candidacy_excuses_no_falling_token() {
    let falls = "0 1 standing - id=a
                 0 1 elected d:5
                 10 1 claim d:5
                 100 1 stopped -
                 12000 2 elected d:9
                 12001 2 claim d:9
                 13000 1 continued -
                 13001 1 lost d:5
                 20000 2 resigning d:9
                 20001 1 elected d:7
                 20002 1 resigning d:7";
    let alone = falls.replace("0 1 standing - id=a\n", "");
    bad(&format!("{alone}\n14000 1 standing - id=a"), "I2", "d:7 is elected after d:9");
    bad(&alone, "I2", "d:7 is elected after d:9");
}

#[test]
fn clients_of_one_process_are_told_apart() {
    let two = "0 1 registered - id=a client=writer
               10 1 snapshot - watch=1 ids=a client=reader
               1000 9 fault - name=F4 clients=writer
               9000 1 snapshot - watch=1 ids= client=reader
               30000 9 heal - within=7000
               31000 1 snapshot - watch=1 ids=a client=reader
               60000 1 closing - client=reader
               60001 1 ended - watch=1 kind=closed client=reader
               60002 1 note -";
    good(two);
    bad(&two.replace("clients=writer", "clients=other"), "I10", "a of 1/writer is live and went out of view");
    breaks(&two.replace("clients=writer", "clients=reader"), &["I4", "I10"]);
    bad(
        &two.replace("closing - client=reader", "closing - client=writer"),
        "I4",
        "watch 1 of 1/reader ended while its client was open",
    );
    // What happens to the process happens to both.
    good(&two.replace("closing - client=reader", "closing -"));
}
