//! The counters, each named once.

use reception_core::Error;

const CALLS: &str = "reception_calls_total";
const ITEMS: &str = "reception_items_total";
const LEADERSHIPS: &str = "reception_leaderships_total";

/// Tells the recorder what the counters mean; telling it again changes nothing.
pub(crate) fn describe() {
    metrics::describe_counter!(CALLS, "calls by outcome: ok, dropped, or the kind of the error");
    metrics::describe_counter!(ITEMS, "items that watches and observations handed out");
    metrics::describe_counter!(LEADERSHIPS, "leaderships gained, resigned and lost");
}

pub(crate) fn call(backend: &'static str, operation: &'static str, outcome: &'static str) {
    metrics::counter!(CALLS, "backend" => backend, "operation" => operation, "outcome" => outcome)
        .increment(1);
}

/// The outcome of a call that failed.
pub(crate) fn failed(error: &Error) -> &'static str {
    error.kind().words()
}

pub(crate) fn item(backend: &'static str, operation: &'static str, item: &'static str) {
    metrics::counter!(ITEMS, "backend" => backend, "operation" => operation, "item" => item).increment(1);
}

pub(crate) fn leadership(backend: &'static str, election: &str, change: &'static str) {
    let election = election.to_owned();
    metrics::counter!(LEADERSHIPS, "backend" => backend, "election" => election, "change" => change)
        .increment(1);
}
