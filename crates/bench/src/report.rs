//! JSON lines, percentiles, and the ratio of interleaved runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    time::Duration,
};

use serde_json::{Map, Value};

use crate::{
    Result,
    args::{Args, Peer},
};

/// One result.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What it is compared with: lines of the two peers with one group.
    group: String,
    counting: bool,
    fields: Map<String, Value>,
}

impl Line {
    /// A line of a run that counts, or of one that is timed.
    pub(crate) fn new(bench: &str, counting: bool) -> Self {
        let line = Self { group: bench.to_owned(), counting, fields: Map::new() };
        line.with("bench", bench)
    }

    /// What was run, in a word; also names the group.
    pub(crate) fn mode(mut self, mode: &str) -> Self {
        self.group = format!("{} {mode}", self.group);
        self.with("mode", mode)
    }

    /// Names the group where the peers call what they do by two words.
    pub(crate) fn against(mut self, group: &str) -> Self {
        self.group = group.to_owned();
        self
    }

    /// A fact that every run knows.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// A time or what follows from it: left out when counting, since the proxy disturbs it.
    pub(crate) fn timed(self, field: &str, value: f64) -> Self {
        if self.counting { self } else { self.with(field, rounded(value)) }
    }

    /// A count: left out when timed, since only the proxy counts.
    pub(crate) fn counted(self, field: &str, value: impl Into<Value>) -> Self {
        if self.counting { self.with(field, value) } else { self }
    }
}

/// One run of one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) peer: Peer,
    /// Through the proxy, before all that are timed; it warms the server up as well.
    pub(crate) counting: bool,
    number: usize,
}

/// Collects the lines of all runs and prints them.
#[derive(Debug)]
pub(crate) struct Board {
    peers: &'static [Peer],
    pairs: usize,
    backend: &'static str,
    counted: BTreeMap<(Peer, String), Map<String, Value>>,
    timed: BTreeMap<(String, Peer), Vec<Map<String, Value>>>,
}

impl Board {
    pub(crate) fn new(args: &Args) -> Self {
        let (peers, pairs, backend) = (args.peers(), args.number("pairs"), args.backend());
        Self { peers, pairs, backend, counted: BTreeMap::new(), timed: BTreeMap::new() }
    }

    /// Every run: those that count first, then both peers in turns.
    pub(crate) fn turns(&self, counts: bool) -> Vec<Turn> {
        let of = |counting, number| self.peers.iter().map(move |&peer| Turn { peer, counting, number });
        let counting = if counts { of(true, 0).collect() } else { Vec::new() };
        counting.into_iter().chain((1..=self.pairs).flat_map(|number| of(false, number))).collect()
    }

    pub(crate) fn add(&mut self, turn: &Turn, lines: Vec<Line>) -> Result<()> {
        for Line { group, mut fields, .. } in lines {
            if turn.counting {
                self.counted.insert((turn.peer, group), fields);
                continue;
            }
            fields.insert("peer".to_owned(), turn.peer.name().into());
            fields.insert("backend".to_owned(), self.backend.into());
            fields.insert("run".to_owned(), turn.number.into());
            for (field, value) in self.counted.get(&(turn.peer, group.clone())).into_iter().flatten() {
                fields.entry(field).or_insert_with(|| value.clone());
            }
            print(&fields)?;
            self.timed.entry((group, turn.peer)).or_default().push(fields);
        }
        Ok(())
    }

    /// A line for each group that both peers have: of every field the medians, and the median ratio of the pairs.
    pub(crate) fn ratios(&self, fields: &[&str]) -> Result<()> {
        let groups: BTreeSet<&String> = self.timed.keys().map(|(group, _)| group).collect();
        for group in groups {
            let of = |peer| self.timed.get(&(group.clone(), peer)).map_or(&[][..], Vec::as_slice);
            let (ours, raw) = (of(Peer::Reception), of(Peer::Raw));
            let mut line = Map::new();
            for field in fields {
                line.extend(ratio(field, &numbers(ours, field), &numbers(raw, field)));
            }
            if line.is_empty() {
                continue;
            }
            for key in ["count", "candidates", "watchers"] {
                line.extend(ours[0].get(key).map(|value| (key.to_owned(), value.clone())));
            }
            line.insert("bench".to_owned(), "ratio".into());
            line.insert("mode".to_owned(), group.as_str().into());
            line.insert("backend".to_owned(), self.backend.into());
            line.insert("pairs".to_owned(), ours.len().min(raw.len()).into());
            print(&line)?;
        }
        Ok(())
    }
}

fn numbers(lines: &[Map<String, Value>], field: &str) -> Vec<f64> {
    lines.iter().filter_map(|line| line.get(field)?.as_f64()).collect()
}

fn ratio(field: &str, ours: &[f64], raw: &[f64]) -> Map<String, Value> {
    let mut ratios: Vec<f64> = ours.iter().zip(raw).map(|(ours, raw)| ours / raw).collect();
    let pairs = ratios.len();
    ratios.retain(|ratio| ratio.is_finite());
    let mut line = Map::new();
    if ratios.len() < pairs {
        line.insert(format!("{field}_left_out"), (pairs - ratios.len()).into());
    }
    if let (Some(ratio), Some(ours), Some(raw)) = (median(&ratios), median(ours), median(raw)) {
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        for (end, value) in
            [("reception", ours), ("raw", raw), ("ratio", ratio), ("ratio_min", least), ("ratio_max", most)]
        {
            line.insert(format!("{field}_{end}"), rounded(value).into());
        }
    }
    line
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        len if len % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// The value that this part of all does not exceed, in microseconds; of nothing, 0.
pub(crate) fn micros(times: &[Duration], part: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place among a few thousand"
    )]
    let place = (part * times.len() as f64).ceil() as usize;
    times.get(place.clamp(1, times.len().max(1)) - 1).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

/// So many of something in so long a time.
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    float(count) / time.as_secs_f64()
}

/// A count for a division.
#[expect(clippy::cast_precision_loss, reason = "no count here has 52 bits")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

/// A count of the proxy, for a division.
pub(crate) fn per(count: u64, each: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no count here has 52 bits")]
    let count = count as f64;
    rounded(count / float(each))
}

/// To the sixth digit: a start of a watch in seconds is that small.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn print(fields: &Map<String, Value>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", Value::Object(fields.clone()))?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_seen() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_micros).collect();
        assert!((micros(&times, 0.5) - 50.0).abs() < 1e-6);
        assert!((micros(&times, 0.99) - 99.0).abs() < 1e-6);
        assert!((micros(&times, 1.0) - 100.0).abs() < 1e-6);
        assert!(micros(&[], 0.5).abs() < 1e-6);
    }

    #[test]
    fn the_ratio_is_the_median_of_the_pairs() {
        let line = ratio("x", &[2.0, 9.0, 4.0], &[1.0, 3.0, 4.0]);
        assert_eq!(line["x_ratio"], 2.0);
        assert_eq!(line["x_ratio_min"], 1.0);
        assert_eq!(line["x_ratio_max"], 3.0);
        assert_eq!(line["x_reception"], 4.0);
        assert!(ratio("x", &[], &[1.0]).is_empty());
        assert_eq!(ratio("x", &[1.0, 1.0], &[0.0, 1.0])["x_left_out"], 1);
    }

    #[test]
    fn a_counting_run_knows_no_times_and_a_timed_one_no_counts() {
        let line = |counting| Line::new("b", counting).timed("t", 1.0).counted("c", 2).fields;
        assert!(line(true).contains_key("c") && !line(true).contains_key("t"));
        assert!(line(false).contains_key("t") && !line(false).contains_key("c"));
    }
}
