//! I6, I8 and I9: residue, connections, and the end of a client.

use super::{bad, good};

/// Tries of one client at these times.
fn tries(times: impl IntoIterator<Item = u64>) -> String {
    times.into_iter().map(|ms| format!("{ms} 9 connect - from=p1\n")).collect()
}

/// Twelve clients that connect, and come back after a fault, this far apart.
fn comeback(apart: u64) -> String {
    (0..12).map(|n| format!("{n} 9 connect - from=p{n}\n")).collect::<String>() + &arrivals(apart)
}

/// Twelve clients that connect after a fault, this far apart.
fn arrivals(apart: u64) -> String {
    let fault = "1000 9 fault - name=F30 short=true\n2000 9 heal - within=5000\n".to_owned();
    (0..12).fold(fault, |text, n| format!("{text}{} 9 connect - from=p{n}\n", 1100 + n * apart))
}

#[test]
fn anything_left_breaks_i6() {
    good("0 9 residue - what=leases count=0\n1 9 residue - what=keys count=0");
    bad("0 9 residue - what=leases count=0\n1 9 residue - what=keys count=3", "I6", "3 keys left");
    bad("0 9 residue - what=keys count=many", "I6", "many keys left");
}

#[test]
fn a_client_that_hurries_breaks_i8() {
    good(&tries([0, 40, 120, 290, 700, 1300, 2500, 5000, 7000, 11_000]));
    good(&tries((0..60).map(|n| n * 1000)));
    bad(&tries((0..60).map(|n| n * 100)), "I8", "p1 tried to connect 21 times within 10 s, with 0 pauses");
    good(&tries((0..30).map(|n| n * 100)).replace("from=p1", "from=p1 clients=2"));
}

#[test]
fn clients_that_come_back_all_at_once_break_i8() {
    good(&comeback(80));
    bad(&comeback(5), "I8", "12 clients came back within 55 ms");
}

#[test]
fn many_clients_behind_one_name_are_told_apart_by_their_number() {
    let one = |text: String| {
        (0..12).rev().fold(text, |text, n| text.replace(&format!("=p{n}\n"), "=p clients=12\n"))
    };
    good(&one(comeback(80)));
    bad(&one(comeback(5)), "I8", "12 clients came back within 55 ms");
}

#[test]
fn clients_that_come_for_the_first_time_may_come_together() {
    good(&arrivals(5));
}

#[test]
fn anything_begun_after_the_close_breaks_i9() {
    let closed = "0 1 elected d:1\n10 1 closing -\n20 1 closed -";
    good(&format!("{closed}\n21 1 lost d:1 why=closed\n22 1 ended - watch=1 kind=closed"));
    good(&format!("{closed}\n21 1 state - id=a state=ended"));
    bad(&format!("{closed}\n30 1 claim d:1"), "I9", "goes on after its client has closed");
    bad(&format!("{closed}\n30 1 registered - id=a"), "I9", "goes on after its client has closed");
    bad(&format!("{closed}\n30 1 snapshot - watch=1 ids="), "I9", "goes on after its client has closed");
}
