//! I4: streams neither end nor fall silent.

use super::{bad, good};

const CUT: &str = "0 3 snapshot - watch=1 ids=
                   1000 9 fault - name=F4 pids=3
                   20000 9 heal - within=7000";

#[test]
fn a_stream_that_ends_before_the_close_breaks_i4() {
    good("0 3 snapshot - watch=1 ids=\n10 3 closing -\n20 3 ended - watch=1 kind=closed\n30 3 closed -");
    bad(
        "0 3 snapshot - watch=1 ids=\n10 3 ended - watch=1 kind=Closed",
        "I4",
        "ended while its client was open",
    );
    bad(
        "0 3 snapshot - watch=1 ids=\n10 3 ended - watch=1 kind=unavailable\n20 3 closing -",
        "I4",
        "ended while its client was open",
    );
}

#[test]
fn a_watch_that_says_nothing_in_a_long_fault_breaks_i4() {
    bad(CUT, "I4", "a watch of 3 said nothing for 10s");
    good(&format!("{CUT}\n9000 3 stale - watch=1 kind=unavailable"));
    bad(
        &format!("{CUT}\n11500 3 stale - watch=1 kind=unavailable"),
        "I4",
        "a watch of 3 said nothing for 10s",
    );
    good(&format!("{CUT}\n10500 3 snapshot - watch=1 ids=b\n22000 3 snapshot - watch=1 ids="));
}

#[test]
fn who_was_not_hit_or_not_there_may_be_silent() {
    good(&CUT.replace("pids=3", "pids=4"));
    good(&CUT.replace("pids=3", "pids=3 short=true"));
    good(&CUT.replace("20000", "10000"));
    good(&format!("{CUT}\n900 3 stale - watch=1 kind=unavailable"));
    good(&format!("{CUT}\n5000 3 closing -"));
    good(&format!("{CUT}\n5000 3 stopped -"));
    bad(&CUT.replace(" pids=3", ""), "I4", "a watch of 3 said nothing for 10s");
}
