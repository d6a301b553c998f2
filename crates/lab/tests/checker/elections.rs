//! I1, I2 and I9: leaderships.

use super::{bad, good};

#[test]
fn leaders_that_follow_one_another_keep_i1_and_i2() {
    good(
        "100 1 standing - id=a
         110 2 standing - id=b
         200 1 elected d:5
         205 1 claim d:5
         900 1 claim d:5
         901 1 lost d:5 why=lease_lost
         1500 2 elected d:9
         1505 2 claim d:9
         1600 2 resigning d:9
         1601 1 elected d:12
         1602 2 resigned d:9
         1603 2 lost d:9 why=closed
         1610 1 claim d:12",
    );
}

#[test]
fn two_holders_at_once_break_i1() {
    bad(
        "200 1 elected d:5
         900 1 claim d:5
         905 2 elected d:9
         1000 1 claim d:5
         1004 1 lost d:5
         1100 2 claim d:9",
        "I1",
        "1 and 2 held at once for 95.000 ms",
    );
}

#[test]
fn two_candidates_of_one_process_break_i1_as_well() {
    bad(
        "0 1 elected d:1 id=a
         10 1 elected d:2 id=b
         20 1 claim d:1
         20 1 claim d:2
         30 1 resigning d:1
         31 1 resigning d:2",
        "I1",
        "1 and 1 held at once",
    );
}

#[test]
fn elections_do_not_mix() {
    good(
        "0 1 elected d:9 election=red
         5 2 elected d:3 election=blue
         10 1 claim d:9 election=red
         10 2 claim d:3 election=blue",
    );
}

#[test]
fn a_loss_heard_after_the_rival_leads_breaks_i1() {
    bad(
        "200 1 elected d:5
         900 1 claim d:5
         905 2 elected d:9
         910 1 lost d:5
         1000 2 claim d:9",
        "I1",
        "1 did not know of its loss when 2 was elected",
    );
}

#[test]
fn a_loss_never_heard_breaks_i1() {
    bad("200 1 elected d:5\n900 1 claim d:5\n905 2 elected d:9\n1000 2 claim d:9", "I1", "1 did not know");
}

#[test]
fn a_killed_leader_need_not_know() {
    good("200 1 elected d:5\n900 1 claim d:5\n901 1 killed -\n9000 2 elected d:9\n9005 2 claim d:9");
}

#[test]
fn a_stopped_leader_knows_right_after_it_wakes() {
    let stopped = "200 1 elected d:5
                   900 1 claim d:5
                   901 1 stopped -
                   8000 2 elected d:9
                   8005 2 claim d:9
                   10000 1 continued -
                   40000 2 claim d:9";
    good(&format!("{stopped}\n10100 1 lost d:5"));
    bad(&format!("{stopped}\n10300 1 lost d:5"), "I1", "1 did not know");
    bad(stopped, "I1", "1 did not know");
    bad(&format!("{stopped}\n10001 1 claim d:5\n10002 1 lost d:5"), "I1", "held at once");
}

#[test]
fn a_claim_after_a_stop_longer_than_a_lease_breaks_i1_also_without_a_rival() {
    let stop = "0 1 elected d:5\n100 1 claim d:5\n101 1 stopped -";
    bad(&format!("{stop}\n10101 1 continued -\n10102 1 claim d:5"), "I1", "had stood still for longer");
    good(&format!("{stop}\n9000 1 continued -\n9001 1 claim d:5"));
}

#[test]
fn the_server_may_take_a_leadership_away_early_and_both_hold_for_half_a_second() {
    let early = "200 1 elected d:5
                 1000 1 fault - name=F21 pids=1 early=true
                 1000 2 elected d:9
                 1010 2 claim d:9
                 1400 1 claim d:5
                 1401 1 lost d:5
                 2000 2 claim d:9";
    let early = format!("{early}\n1001 9 heal - within=0");
    good(&early);
    bad(
        &early.replace("1400 1 claim", "1501 1 claim").replace("1401 1 lost", "1502 1 lost"),
        "I1",
        "held at once",
    );
    bad(&early.replace(" early=true", ""), "I1", "held at once");
    bad(&early.replace("pids=1", "pids=3"), "I1", "held at once");
}

#[test]
fn a_leadership_never_claimed_holds_nothing() {
    good(
        "200 1 elected d:5
         210 1 stopped -
         12000 2 elected d:9
         12005 2 claim d:9
         30000 1 continued -
         30001 1 lost d:5
         30005 2 claim d:9",
    );
}

#[test]
fn a_token_that_does_not_rise_breaks_i2() {
    bad("0 1 elected d:9\n10 1 lost d:9\n20 2 elected d:9\n30 2 lost d:9", "I2", "d:9 is elected after d:9");
    bad("0 1 elected d:9\n10 1 lost d:9\n20 2 elected d:5\n30 2 lost d:5", "I2", "d:5 is elected after d:9");
    good("0 1 elected old:9\n10 1 lost old:9\n20 2 elected new:5\n30 2 lost new:5");
}

#[test]
fn an_election_written_after_a_stop_may_come_late() {
    let late = "0 1 standing - id=a
                10 1 stopped -
                12000 2 elected d:9
                12005 2 claim d:9
                12006 2 resigning d:9
                20000 1 continued -
                20001 1 elected d:5
                20002 1 lost d:5";
    good(late);
    good(&late.replace("id=a", "id=a election=red").replace("d:5", "d:5 id=a election=red"));
    bad(&late.replace("standing", "note"), "I2", "d:5 is elected after d:9");
    bad(&format!("{late}\n20001 1 claim d:5"), "I2", "d:5 is elected after d:9");
}

#[test]
fn a_stale_write_that_is_accepted_breaks_i2() {
    good("0 1 write d:5 accepted=true\n1 2 write d:9 accepted=true\n2 1 write d:5 accepted=false");
    bad(
        "0 1 write d:5 accepted=true\n1 2 write d:9 accepted=true\n2 1 write d:5 accepted=true",
        "I2",
        "d:5 was accepted",
    );
    good("0 1 write old:9 accepted=true\n1 2 write new:5 accepted=true");
}

#[test]
fn the_numbers_of_the_store_are_the_order_of_the_writes() {
    // Heard late by its writer, decided first.
    let heard = "10 2 write d:9 accepted=true seq=2\n20 1 write d:5 accepted=true seq=1";
    good(heard);
    good(&format!("{heard}\n30 1 write d:5 accepted=true"));
    bad(&heard.replace("seq=1", "seq=3"), "I2", "d:5 was accepted after one with d:9");
}

#[test]
fn elected_twice_without_a_loss_breaks_i9() {
    bad("0 1 elected d:5\n10 1 elected d:9\n20 1 resigning d:9", "I9", "elected again before it had lost");
}

#[test]
fn lost_twice_and_lost_without_an_election_break_i9() {
    bad("0 1 elected d:5\n10 1 lost d:5\n20 1 lost d:5", "I9", "lost twice");
    bad("0 1 elected d:5\n10 1 resigning d:5\n20 1 resigning d:5", "I9", "resigned twice");
    bad("0 1 lost d:5", "I9", "was never elected with this token");
    bad("0 1 claim d:5\n5 1 claim d:5", "I9", "was never elected with this token");
}

#[test]
fn a_claim_of_what_is_over_breaks_i9() {
    bad(
        "0 1 elected d:5\n10 1 lost d:5\n20 1 claim d:5\n25 1 claim d:5",
        "I9",
        "held a leadership that was over",
    );
    bad("0 1 elected d:5\n10 1 resigning d:5\n20 1 claim d:5", "I9", "held a leadership that was over");
}
