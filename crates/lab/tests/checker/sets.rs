//! I3, I5, I7 and I10: what watches show.

use super::{bad, breaks, good};

/// Two processes with an instance each, a third one watches; a fault on the first one; a heal.
const FAULT: &str = "0 1 registered - id=a
                     10 2 registered - id=b
                     20 3 snapshot - watch=1 ids=a,b
                     1000 9 fault - name=F4 pids=1
                     12000 3 snapshot - watch=1 ids=b
                     30000 9 heal - within=15000";

#[test]
fn a_set_that_is_exact_after_the_heal_keeps_i3() {
    good(&format!("{FAULT}\n31000 3 snapshot - watch=1 ids=a,b\n60000 9 note -"));
}

#[test]
fn a_live_instance_that_is_missing_after_the_heal_breaks_i3() {
    bad(&format!("{FAULT}\n60000 9 note -"), "I3", "watch 1 of 3 does not show a, which is live");
    let again = "44999 9 fault - name=F5 pids=1\n60000 9 heal - within=0";
    good(&format!("{FAULT}\n60000 9 note -\n{again}"));
    bad(&format!("{FAULT}\n45001 3 snapshot - watch=1 ids=a,b\n60000 9 note -"), "I3", "does not show a");
}

#[test]
fn a_dead_instance_that_is_shown_after_the_heal_breaks_i3() {
    let killed = format!("{FAULT}\n29000 2 killed -\n31000 3 snapshot - watch=1 ids=a,b\n60000 9 note -");
    bad(&killed, "I3", "watch 1 of 3 shows b, which is not live");
    good(&format!("{killed}\n44000 3 snapshot - watch=1 ids=a"));
}

#[test]
fn an_instance_that_nobody_registered_breaks_i3() {
    bad(
        &format!("{FAULT}\n31000 3 snapshot - watch=1 ids=a,b,x\n60000 9 note -"),
        "I3",
        "shows x, which is not live",
    );
}

#[test]
fn a_change_in_quiet_time_has_a_moment_to_be_seen() {
    let heal = "0 9 heal - within=0\n10 3 snapshot - watch=1 ids=\n6900 9 note -";
    let registered = format!("{heal}\n100 1 registered - id=a");
    good(&format!("{registered}\n90 3 snapshot - watch=1 ids=a"));
    good(&format!("{registered}\n2000 3 snapshot - watch=1 ids=a"));
    bad(&format!("{registered}\n2200 3 snapshot - watch=1 ids=a"), "I3", "does not show a");
    let withdrawn = format!(
        "{registered}\n110 3 snapshot - watch=1 ids=a\n5000 1 withdrawing - id=a\n5010 1 withdrawn - id=a ok=true"
    );
    good(&format!("{withdrawn}\n7000 3 snapshot - watch=1 ids="));
    breaks(&format!("{withdrawn}\n7100 3 snapshot - watch=1 ids="), &["I3", "I5"]);
}

#[test]
fn what_a_killed_process_leaves_may_be_seen_for_the_life_of_its_lease() {
    let killed = "0 1 registered - id=a\n0 9 heal - within=0\n10 3 snapshot - watch=1 ids=a\n5000 1 killed -\n60000 9 note -";
    good(&format!("{killed}\n15500 3 snapshot - watch=1 ids="));
    bad(&format!("{killed}\n19000 3 snapshot - watch=1 ids="), "I3", "shows a, which is not live");
}

#[test]
fn a_watch_that_stood_still_is_given_time_to_recover() {
    let stopped = "0 1 registered - id=a
                   0 9 heal - within=0
                   10 3 snapshot - watch=1 ids=a
                   100 3 stopped -
                   200 1 withdrawing - id=a
                   210 1 withdrawn - id=a ok=true
                   30000 3 continued -
                   60000 9 note -";
    good(&format!("{stopped}\n36000 3 snapshot - watch=1 ids="));
    breaks(&format!("{stopped}\n38000 3 snapshot - watch=1 ids="), &["I3", "I5"]);
}

#[test]
fn services_do_not_mix() {
    good(
        "0 1 registered - id=a service=red
         0 1 registered - id=a service=blue
         0 9 heal - within=0
         10 3 snapshot - watch=1 service=red ids=a
         20 3 snapshot - watch=2 service=blue ids=a
         100 1 withdrawing - id=a service=red
         110 1 withdrawn - id=a service=red ok=true
         120 3 snapshot - watch=1 service=red ids=
         60000 9 note -",
    );
}

const WITHDRAWN: &str = "0 1 registered - id=a
                         10 3 snapshot - watch=1 ids=a
                         100 1 withdrawing - id=a
                         110 1 withdrawn - id=a ok=true
                         120 3 snapshot - watch=1 ids=";

#[test]
fn an_id_that_comes_back_after_its_withdrawal_breaks_i5() {
    good(WITHDRAWN);
    bad(&format!("{WITHDRAWN}\n5000 3 snapshot - watch=1 ids=a"), "I5", "a is back after it was withdrawn");
    bad(&format!("{WITHDRAWN}\n5000 4 snapshot - watch=1 ids=a"), "I5", "a is back after it was withdrawn");
    good(&format!("{WITHDRAWN}\n5000 3 snapshot - watch=1 ids=a\n5010 2 registered - id=a"));
}

#[test]
fn a_watch_that_was_cut_off_may_show_late_what_was_true_before() {
    let late = "0 3 snapshot - watch=1 ids=
                10 9 fault - name=F28 pids=3
                20 1 registered - id=a
                30 1 withdrawing - id=a
                40 1 withdrawn - id=a ok=true
                9000 9 heal - within=7000
                9010 3 snapshot - watch=1 ids=a
                9020 3 snapshot - watch=1 ids=";
    good(late);
    bad(
        &format!("{late}\n9030 3 snapshot - watch=1 ids=a\n9040 3 snapshot - watch=1 ids="),
        "I5",
        "a is back",
    );
}

#[test]
fn an_id_whose_withdrawal_failed_is_gone_once_its_lease_is() {
    let failed = "0 1 registered - id=a
                  10 3 snapshot - watch=1 ids=a
                  100 1 withdrawing - id=a
                  5000 1 withdrawn - id=a ok=false";
    good(&format!("{failed}\n15000 3 snapshot - watch=1 ids=a,b"));
    bad(
        &format!("{failed}\n18100 3 snapshot - watch=1 ids=a,b"),
        "I5",
        "still shown long after its withdrawal failed",
    );
    good(&format!("{failed}\n17900 3 snapshot - watch=1 ids=b\n60000 9 note -"));
    let away = format!("{failed}\n90 9 fault - name=F27 pids=1\n10000 9 heal - within=20000");
    good(&format!("{away}\n18100 3 snapshot - watch=1 ids=a,b\n22000 3 snapshot - watch=1 ids="));
    bad(
        &format!("{away}\n23100 3 snapshot - watch=1 ids=a,b\n24000 3 snapshot - watch=1 ids="),
        "I5",
        "still shown",
    );
}

const SHORT: &str = "0 1 registered - id=a
                     0 1 elected d:1
                     10 3 snapshot - watch=1 ids=a
                     1000 9 fault - name=F7 pids=1,3 short=true
                     2000 9 heal - within=5000";

#[test]
fn a_leadership_lost_in_a_short_fault_breaks_i7() {
    good(SHORT);
    bad(&format!("{SHORT}\n1500 1 lost d:1 why=lease_lost"), "I7", "1 lost its leadership in a short fault");
    bad(&format!("{SHORT}\n6500 1 lost d:1 why=lease_lost"), "I7", "1 lost its leadership in a short fault");
    good(&format!("{SHORT}\n7500 1 lost d:1 why=lease_lost\n7000 1 claim d:1"));
    good(&format!("{SHORT}\n1400 1 resigning d:1\n1500 1 lost d:1 why=closed"));
    good(
        &format!("{SHORT}\n1500 2 elected d:2 election=x\n1600 2 lost d:2 election=x")
            .replace("pids=1,3", "pids=1"),
    );
}

#[test]
fn an_instance_that_flaps_in_a_short_fault_breaks_i7() {
    bad(
        &format!("{SHORT}\n1500 3 snapshot - watch=1 ids=\n1600 3 snapshot - watch=1 ids=a"),
        "I7",
        "a of 1 is live and went out of view",
    );
}

#[test]
fn a_set_that_shrinks_without_a_cause_breaks_i10() {
    let set = "0 1 registered - id=a\n1 2 registered - id=b\n10 3 snapshot - watch=1 ids=a,b";
    good(&format!("{set}\n100 1 withdrawing - id=a\n100 3 snapshot - watch=1 ids=b"));
    bad(&format!("{set}\n100 3 snapshot - watch=1 ids=b"), "I10", "a of 1 is live and went out of view");
    let closing = format!("{set}\n90 1 closing -\n91 2 killed -");
    good(&format!("{closing}\n100 3 snapshot - watch=1 ids="));
}

#[test]
fn an_empty_set_after_an_error_breaks_i10() {
    let set = "0 1 registered - id=a
               10 3 snapshot - watch=1 ids=a
               50 9 fault - name=F14 pids=3
               9000 9 heal - within=0";
    bad(
        &format!("{set}\n60 3 stale - watch=1 kind=unavailable\n100 3 snapshot - watch=1 ids="),
        "I10",
        "a of 1 is live and went out of view",
    );
    let (soon, late) = ("6200 3 snapshot - watch=1 ids=", "6400 3 snapshot - watch=1 ids=");
    for hit in ["pids=1,3", "short=false"] {
        let set = set.replace("pids=3", hit);
        bad(&format!("{set}\n{soon}"), "I10", "a of 1 is live and went out of view");
        good(&format!("{set}\n{late}\n8990 3 snapshot - watch=1 ids=a"));
        let takes = set.replace("F14", "F14 takes=true");
        good(&format!("{takes}\n{soon}\n8990 3 snapshot - watch=1 ids=a"));
    }
}

#[test]
fn an_instance_that_is_never_shown_breaks_i10() {
    let never = "0 1 registered - id=a";
    bad(&format!("{never}\n8000 3 snapshot - watch=1 ids="), "I10", "a of 1 is live and not in view");
    good(&format!("{never}\n100 3 snapshot - watch=1 ids="));
    bad(
        &format!("{never}\n100 3 snapshot - watch=1 ids=\n8000 3 snapshot - watch=1 ids=b"),
        "I10",
        "a of 1 is live and not in view",
    );
    bad(
        &format!(
            "{never}\n7000 9 fault - name=F14 pids=3\n8000 3 snapshot - watch=1 ids=\n8100 9 heal - within=0"
        ),
        "I10",
        "a of 1 is live and not in view",
    );
}

#[test]
fn a_heal_with_a_name_ends_that_fault_only() {
    let two = "0 1 registered - id=a
               10 3 snapshot - watch=1 ids=a
               1000 9 fault - name=F4 pids=1
               2000 9 fault - name=F5 pids=1
               3000 9 heal - name=F5 within=0
               9000 3 snapshot - watch=1 ids=
               60000 9 heal - name=F4 within=0";
    good(two);
    bad(
        &two.replace("60000", "20000").replace("within=0", "within=0\n60000 9 note -"),
        "I3",
        "does not show a",
    );
}
