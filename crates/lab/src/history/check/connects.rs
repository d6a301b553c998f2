//! I8: one try per backoff step, and not all at once.
//!
//! Backoff is full jitter from 50 ms, doubling to [`Bounds::backoff`] (5 s), and starts anew after a
//! connection was healthy for 1 s. What follows for one connection in any window of 10 s:
//!
//! - seven steps until the cap, and then steps that are spread over 5 s: more than 20 tries in a window
//!   have a chance of about one in a million;
//! - each pause of 1 s or more may have been health and gives back the five steps below it.
//!
//! So a window holds at most `20 + 5 * pauses` tries for each connection of each client behind a name
//! (`clients=N`, 1 if not said). And when a fault hits ten clients or more, the first tries of all of
//! them lie at least 0.3 x [`Bounds::spread`] apart: ten independent ones do, but for one time in 7000.

use std::collections::BTreeMap;

use super::{Bounds, Violation, bounds::ns, timeline::Timeline};
use crate::history::{Event, Line};

const WINDOW: u64 = 10_000_000_000;
const HEALTHY: u64 = 1_000_000_000;
const TRIES: usize = 20;
const STEPS: usize = 5;
const MANY: usize = 10;

type Arrivals<'a> = BTreeMap<&'a str, Vec<&'a Line>>;

pub(super) fn check(time: &Timeline<'_>, bounds: &Bounds) -> Vec<Violation> {
    let mut arrivals = Arrivals::new();
    for line in time.lines.iter().filter(|line| line.event == Event::Connect) {
        arrivals.entry(line.details.get("from").unwrap_or("")).or_default().push(line);
    }
    let rates = arrivals.iter().filter_map(|(from, lines)| hurried(bounds, from, lines));
    let crowds = time.faults.iter().enumerate().filter_map(|(index, fault)| {
        let next = time.faults.get(index + 1).map_or(u64::MAX, super::faults::Fault::from);
        crowd(bounds, &arrivals, fault.line, next)
    });
    rates.chain(crowds).collect()
}

/// The first window with too many tries.
fn hurried(bounds: &Bounds, from: &str, lines: &[&Line]) -> Option<Violation> {
    let each = clients(lines).saturating_mul(bounds.connections.max(1) as usize);
    let (mut first, mut pauses) = (0, 0);
    let pause = |index: usize| usize::from(lines[index].ns - lines[index - 1].ns >= HEALTHY);
    for last in 1..lines.len() {
        pauses += pause(last);
        while lines[last].ns - lines[first].ns >= WINDOW {
            first += 1;
            pauses -= pause(first);
        }
        let tries = last - first + 1;
        if tries > each.saturating_mul(TRIES + STEPS * pauses) {
            let what = format!("{from} tried to connect {tries} times within 10 s, with {pauses} pauses");
            return Some(Violation::new("I8", what, [lines[first], lines[last]]));
        }
    }
    None
}

/// The clients that came back from a fault all at once.
fn crowd(bounds: &Bounds, arrivals: &Arrivals<'_>, fault: &Line, next: u64) -> Option<Violation> {
    let mut firsts: Vec<&Line> = Vec::new();
    for lines in arrivals.values() {
        let from = lines.partition_point(|line| line.ns < fault.ns);
        let to = lines.partition_point(|line| line.ns < next);
        // One that comes for the first time was not cut off.
        let known = lines[..from].len().min(clients(lines));
        firsts.extend(lines[from..to].iter().take(known));
    }
    firsts.sort_by_key(|line| line.ns);
    let [first, .., last] = firsts[..] else { return None };
    let apart = last.ns - first.ns;
    if firsts.len() < MANY || apart >= ns(bounds.spread) / 10 * 3 {
        return None;
    }
    let what = format!("{} clients came back within {} ms", firsts.len(), apart / 1_000_000);
    Some(Violation::new("I8", what, [fault, first, last]))
}

/// How many clients a name stands for.
fn clients(lines: &[&Line]) -> usize {
    let said = lines.iter().filter_map(|line| line.details.get("clients")?.parse().ok());
    said.max().unwrap_or(1).max(1)
}
