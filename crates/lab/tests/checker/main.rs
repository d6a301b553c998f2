//! The checker on histories that keep every promise, and on histories that break one.
//!
//! The lines are those of a history file, but for the time: milliseconds here, so that they can be read.
#![cfg(test)]

mod arbitrary;
mod clients;
mod elections;
mod loopholes;
mod sets;
mod streams;

use std::collections::BTreeSet;

use reception_lab::history::{Bounds, Line, Violation, check};

fn lines(text: &str) -> Vec<Line> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (ms, rest) = line.split_once(' ').unwrap();
            format!("{ms}000000 {rest}").parse().unwrap_or_else(|error| panic!("{line}: {error}"))
        })
        .collect()
}

fn judge(text: &str) -> Vec<Violation> {
    check(&lines(text), &Bounds::default())
}

#[track_caller]
fn good(text: &str) {
    let violations = judge(text);
    assert!(violations.is_empty(), "{}", told(&violations));
}

/// Expects exactly this one violation, and that its words contain `part`.
#[track_caller]
fn bad(text: &str, invariant: &str, part: &str) {
    let violations = judge(text);
    let named: Vec<_> = violations.iter().map(|violation| violation.invariant).collect();
    assert_eq!(named, [invariant], "{}", told(&violations));
    let told = told(&violations);
    assert!(told.contains(part), "{told}");
    assert!(!violations[0].lines.is_empty(), "{told}");
}

/// Expects violations of these invariants, each at least once, and of no others.
#[track_caller]
fn breaks(text: &str, invariants: &[&str]) {
    let violations = judge(text);
    let named: BTreeSet<_> = violations.iter().map(|violation| violation.invariant).collect();
    assert_eq!(named, invariants.iter().copied().collect(), "{}", told(&violations));
}

fn told(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("{violation}\n")).collect()
}

#[test]
fn an_empty_history_keeps_every_promise() {
    good("");
}

#[test]
fn a_violation_prints_the_invariant_in_words_and_the_lines() {
    let violations = judge("1 1 residue - what=leases count=2");
    assert_eq!(
        told(&violations),
        "I6 (nothing is left after everything has closed): 2 leases left\n    1000000 1 residue - what=leases count=2\n"
    );
}

#[test]
fn the_order_in_the_file_does_not_matter() {
    let mut lines = lines("10 1 elected d:1\n20 1 lost d:1\n30 2 elected d:2\n40 2 claim d:2");
    lines.reverse();
    assert_eq!(check(&lines, &Bounds::default()), []);
}

#[test]
fn a_line_that_does_not_say_what_it_must_is_a_violation() {
    bad("1 1 elected -", "I0", "names no token");
    bad("1 1 snapshot - watch=1", "I0", "does not say ids");
    bad("1 1 heal - within=soon", "I0", "`within` of `heal` cannot be read");
    bad("1 1 write d:1 accepted=perhaps", "I0", "`accepted` of `write` cannot be read");
    bad("1 1 fault - name=F4 pids=1,all\n2 1 heal - within=0", "I0", "`pids` of `fault` cannot be read");
    bad("1 1 watching -", "I0", "does not say watch");
    bad("1 1 closing - client=", "I0", "`client` of `closing` cannot be read");
    bad("1 1 connect - from=p clients=a,b", "I0", "`clients` of `connect` cannot be read");
    good("1 1 fault - name=F4 clients=a,b takes=true\n2 1 heal - within=0");
}

#[test]
fn half_a_million_claims_are_judged_in_time() {
    let mut lines = lines("0 1 elected d:1");
    let claim: Line = "0 1 claim d:1".parse().unwrap();
    lines.extend((1..=500_000).map(|n| {
        let mut claim = claim.clone();
        claim.ns = n * 5_000_000;
        claim
    }));
    assert_eq!(check(&lines, &Bounds::default()), []);
}
