//! I6: nothing is left after everything has closed.

use super::{Bounds, Violation, timeline::Timeline};
use crate::history::Event;

pub(super) fn check(time: &Timeline<'_>, _: &Bounds) -> Vec<Violation> {
    let residue = time.lines.iter().filter(|line| line.event == Event::Residue);
    let left =
        residue.filter(|line| line.details.get("count").and_then(|count| count.parse().ok()) != Some(0_u64));
    left.map(|line| {
        let [what, count] = ["what", "count"].map(|key| line.details.get(key).unwrap_or("?"));
        Violation::new("I6", format!("{count} {what} left"), [*line])
    })
    .collect()
}
