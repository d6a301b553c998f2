//! I0: every line says what its event must say. A check that passes over what it cannot read proves nothing.

use super::{Bounds, Violation, timeline::Timeline};
use crate::history::{Event, Line};

pub(super) fn check(time: &Timeline<'_>, _: &Bounds) -> Vec<Violation> {
    time.lines.iter().filter_map(|line| Some(Violation::new("I0", missing(line)?, [*line]))).collect()
}

fn missing(line: &Line) -> Option<String> {
    let (token, keys): (bool, &[&str]) = match line.event {
        Event::Claim | Event::Elected | Event::Lost | Event::Resigned | Event::Resigning => (true, &[]),
        Event::Write => (true, &["accepted"]),
        Event::Connect => (false, &["from"]),
        Event::Ended | Event::Stale => (false, &["watch"]),
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
    let wrong = |key: &str| line.details.get(key).is_some_and(|text| !readable(key, text));
    VALUES.iter().copied().find(|key| line.event != Event::Note && wrong(key))
}

const VALUES: &[&str] = &["accepted", "clients", "early", "ok", "pids", "seq", "short", "state", "within"];

fn readable(key: &str, text: &str) -> bool {
    match key {
        "clients" | "seq" | "within" => text.parse::<u64>().is_ok(),
        "pids" => text.split(',').all(|pid| pid.is_empty() || pid.parse::<u32>().is_ok()),
        "state" => matches!(text, "active" | "doubtful" | "ended"),
        _ => matches!(text, "true" | "false"),
    }
}
