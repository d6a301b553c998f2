//! I2: tokens rise, and the fenced store accepts no token below one that it accepted before.

use std::collections::{BTreeMap, HashMap};

use super::{
    Bounds, Violation,
    tenures::{Tenure, election},
    timeline::Timeline,
};
use crate::history::{Event, Line, Token};

pub(super) fn check(time: &Timeline<'_>, _: &Bounds) -> Vec<Violation> {
    let mut violations = Vec::new();
    for tenures in time.tenures.elections() {
        violations.extend(elected(time, &tenures));
    }
    violations.extend(writes(time));
    violations
}

/// Those elected with a token that is not above all before.
fn elected(time: &Timeline<'_>, tenures: &[&Tenure<'_>]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut largest: HashMap<&str, &Tenure<'_>> = HashMap::new();
    for tenure in tenures {
        let before = largest.entry(&tenure.token.domain).or_insert(tenure);
        if std::ptr::eq(*before, *tenure) {
            continue;
        }
        if tenure.token.value > before.token.value {
            *before = tenure;
        } else if !written_late(time, before, tenure) {
            let what = format!("{} is elected after {}", tenure.token, before.token);
            violations.push(Violation::new("I2", what, [before.elected, tenure.elected]));
        }
    }
    violations
}

/// Whether the process stood still between winning and writing so: what it won was over, and it never held. It won
/// while it stood for election, and the stop lasted until after the other's election.
fn written_late(time: &Timeline<'_>, before: &Tenure<'_>, tenure: &Tenure<'_>) -> bool {
    let Some(standing) = tenure.standing.filter(|_| tenure.last_claim.is_none()) else { return false };
    let until = tenure.elected.ns;
    time.process(tenure.subject()).is_some_and(|process| {
        let mut stops = process.stops.iter();
        stops.any(|(stop, _)| stop.meets(standing, until) && stop.meets(before.elected.ns, until))
    })
}

/// Writes accepted with a token below one accepted before.
fn writes(time: &Timeline<'_>) -> Vec<Violation> {
    let mut stores: BTreeMap<(&str, &str), Vec<(&Line, &Token)>> = BTreeMap::new();
    for line in time.lines.iter().filter(|line| line.event == Event::Write) {
        let Some(token) = &line.token else { continue };
        let store = line.details.get("store").unwrap_or("");
        stores.entry((election(line), store)).or_default().push((line, token));
    }
    stores.into_values().flat_map(in_order).flat_map(accepted).collect()
}

/// The writes by domain in the order of the store. Where it numbers its decisions only numbered ones count:
/// the time at which a writer heard the answer tells no order.
fn in_order<'a>(mut writes: Vec<(&'a Line, &'a Token)>) -> Vec<Vec<(&'a Line, &'a Token)>> {
    let number = |line: &Line| line.details.get("seq").and_then(|seq| seq.parse::<u64>().ok());
    if writes.iter().any(|(line, _)| number(line).is_some()) {
        writes.retain(|(line, _)| number(line).is_some());
        writes.sort_by_key(|(line, _)| number(line));
    }
    let mut domains: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for write in writes {
        domains.entry(&write.1.domain).or_default().push(write);
    }
    domains.into_values().collect()
}

fn accepted<'a>(writes: Vec<(&'a Line, &'a Token)>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut largest: Option<(&Line, &Token)> = None;
    for (line, token) in writes.into_iter().filter(|(line, _)| line.details.flag("accepted")) {
        match largest.filter(|(_, before)| token.value < before.value) {
            Some((earlier, before)) => {
                let what = format!("a write with {token} was accepted after one with {before}");
                violations.push(Violation::new("I2", what, [earlier, line]));
            }
            None => largest = Some((line, token)),
        }
    }
    violations
}
