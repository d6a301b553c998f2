//! I0: every line says what its event must say. A check that passes over what it cannot read proves nothing.

use super::{Bounds, Violation, timeline::Timeline};
use crate::history::{Event, Line};

pub(super) fn check(time: &Timeline<'_>, _: &Bounds) -> Vec<Violation> {
    let words = time.lines.iter().filter_map(|line| Some(Violation::new("I0", missing(line)?, [*line])));
    let idle = time.idle.iter().map(|line| Violation::new("I0", "a heal ends no fault", [*line]));
    // It would excuse what it hits to the end.
    let open = time.faults.iter().filter(|fault| fault.healed.is_none());
    let open = open.map(|fault| Violation::new("I0", "a fault is never healed", [fault.line]));
    words.chain(idle).chain(open).collect()
}

fn missing(line: &Line) -> Option<String> {
    let (token, keys): (bool, &[&str]) = match line.event {
        Event::Claim | Event::Elected | Event::Lost | Event::Resigned | Event::Resigning => (true, &[]),
        Event::Write => (true, &["accepted"]),
        Event::Connect => (false, &["from"]),
        Event::Ended | Event::Stale | Event::Watching => (false, &["watch"]),
        Event::Fault => (false, &["name"]),
        Event::Heal => (false, &["within"]),
        Event::Registered | Event::Withdrawing => (false, &["id"]),
        Event::Residue => (false, &["what", "count"]),
        Event::Snapshot => (false, &["watch", "ids"]),
        Event::State => (false, &["id", "state"]),
        Event::Withdrawn => (false, &["id", "ok"]),
        _ => (false, &[]),
    };
    if token && line.token.is_none() {
        return Some(format!("`{}` names no token", line.event));
    }
    if let Some(key) = keys.iter().find(|key| line.details.get(key).is_none()) {
        return Some(format!("`{}` does not say {key}", line.event));
    }
    unreadable(line).map(|key| format!("`{}` of `{}` cannot be read", key, line.event))
}

/// The key of a value that is none.
fn unreadable(line: &Line) -> Option<&'static str> {
    let wrong = |key: &str| line.details.get(key).is_some_and(|text| !readable(line.event, key, text));
    VALUES.iter().copied().find(|key| line.event != Event::Note && wrong(key))
}

const VALUES: &[&str] =
    &["accepted", "client", "clients", "early", "ok", "pids", "seq", "short", "state", "takes", "within"];

fn readable(event: Event, key: &str, text: &str) -> bool {
    match key {
        "client" => !text.is_empty(),
        // Names here, and elsewhere how many.
        "clients" if event == Event::Fault => true,
        "clients" | "seq" | "within" => text.parse::<u64>().is_ok(),
        "pids" => text.split(',').all(|pid| pid.is_empty() || pid.parse::<u32>().is_ok()),
        "state" => matches!(text, "active" | "doubtful" | "ended"),
        _ => matches!(text, "true" | "false"),
    }
}
