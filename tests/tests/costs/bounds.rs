//! The bounds, each a function of counted numbers alone, so that the naive controls are judged by the same ones.

use std::time::Duration;

use crate::stage::Bill;

pub(crate) type Verdict = Result<(), String>;

/// Registrations that share a lease.
pub(crate) const SHARD: u64 = 256;
/// Entries of the first page of a list, and of the later ones when the records are small.
const FIRST_PAGE: u64 = 1000;
const PAGE: u64 = 10_000;

fn hold(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

/// At most two percent more, one as the other.
fn near(one: f64, other: f64) -> bool {
    one <= other * 1.02 && other <= one * 1.02
}

/// A change is told without a question.
pub(crate) fn no_request(bill: &Bill) -> Verdict {
    hold(bill.requests == 0 && bill.calls == 0, || format!("changes cost requests: {bill}"))
}

/// A change costs the same bytes here and there.
pub(crate) fn same_bytes(one: &Bill, other: &Bill) -> Verdict {
    let (one, other) = (one.bytes_each(), other.bytes_each());
    hold(near(one, other), || format!("a change costs {one:.1} bytes, and {other:.1}"))
}

/// A change costs at most two percent more bytes than this.
pub(crate) fn at_most(bill: &Bill, floor: &Bill) -> Verdict {
    let (bytes, floor) = (bill.bytes_each(), floor.bytes_each());
    hold(bytes <= floor * 1.02, || format!("a change costs {bytes:.1} bytes, not {floor:.1}"))
}

/// At most 0.35 requests a second for each 256 of them.
pub(crate) fn renewals(requests: u64, registrations: u64, span: Duration) -> Verdict {
    let allowed = 0.35 * registrations as f64 / SHARD as f64 * span.as_secs_f64();
    hold(requests as f64 <= allowed, || {
        format!(
            "{registrations} registrations cost {requests} requests in {span:?}; {allowed:.1} are allowed"
        )
    })
}

/// However many read, the store serves one.
pub(crate) fn one_watch(open: u64) -> Verdict {
    hold(open == 1, || format!("{open} watches are open at the store"))
}

/// The one that leaves says so, and the next one looks: whoever else waits does nothing.
pub(crate) fn two_requests_each(bill: &Bill) -> Verdict {
    hold(bill.requests <= 2 * bill.events && bill.calls <= 2 * bill.events, || {
        format!("hand-overs cost more than two requests each: {bill}")
    })
}

/// One request for each lease, none for each registration.
pub(crate) fn clean_exit(bill: &Bill) -> Verdict {
    let leases = bill.events.div_ceil(SHARD);
    hold(bill.requests <= leases, || format!("{leases} leases are revoked with {bill}"))
}

/// One call each.
pub(crate) fn one_call_each(bill: &Bill) -> Verdict {
    hold(bill.calls <= bill.events, || format!("more than one call each: {bill}"))
}

/// Many at once go together: one transaction for each twenty, at the least.
pub(crate) fn joined(calls: u64, many: u64) -> Verdict {
    hold(calls <= many / 20, || format!("{many} at once cost {calls} transactions"))
}

/// One request for the first thousand entries, and one for each ten thousand after them.
pub(crate) fn pages(requests: u64, entries: u64) -> Verdict {
    let allowed = 1 + entries.saturating_sub(FIRST_PAGE).div_ceil(PAGE);
    hold(requests <= allowed, || format!("{requests} requests for {entries} entries; {allowed} are allowed"))
}
