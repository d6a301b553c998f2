//! The table at the end of a run: each law with its cases proved, failing and unproven.

use std::fmt;

use crate::{
    law::Law,
    report::{Outcome, Report},
};

#[derive(Default)]
struct Row {
    proved: usize,
    failing: usize,
    unproven: usize,
}

/// Writes the matrix of a report, then each case that is not proved with its reason.
pub(crate) fn print(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(reason) = &report.missing {
        return writeln!(f, "laws on {}: missing: {reason}", report.fixture);
    }
    writeln!(f, "laws on {}", report.fixture)?;
    writeln!(f, "{:<4} {:<44} {:>5} {:>6} {:>7} {:>8}", "law", "", "cases", "proved", "failing", "unproven")?;
    let mut sum = Row::default();
    for law in Law::ALL {
        let row = count(report, law);
        line(f, &law.to_string(), law.title(), &row)?;
        sum.proved += row.proved;
        sum.failing += row.failing;
        sum.unproven += row.unproven;
    }
    line(f, "all", "", &sum)?;
    for result in &report.results {
        match &result.outcome {
            Outcome::Proved => {}
            Outcome::Failing(what) => {
                writeln!(f, "failing   {}: {}", result.name, what.lines().next().unwrap_or_default())?;
            }
            Outcome::Unproven(why) => writeln!(f, "unproven  {}: {why}", result.name)?,
        }
    }
    for (property, reason) in report.properties {
        writeln!(f, "property  {property}: {reason}")?;
    }
    report.stale.iter().try_for_each(|name| writeln!(f, "stale     {name}: on UNPROVEN, but no such case"))
}

fn count(report: &Report, law: Law) -> Row {
    let mut row = Row::default();
    for result in report.results.iter().filter(|result| result.law == law) {
        match result.outcome {
            Outcome::Proved => row.proved += 1,
            Outcome::Failing(_) => row.failing += 1,
            Outcome::Unproven(_) => row.unproven += 1,
        }
    }
    row
}

fn line(f: &mut fmt::Formatter<'_>, law: &str, title: &str, row: &Row) -> fmt::Result {
    let cases = row.proved + row.failing + row.unproven;
    writeln!(f, "{law:<4} {title:<44} {cases:>5} {:>6} {:>7} {:>8}", row.proved, row.failing, row.unproven)
}

#[cfg(test)]
mod tests {
    use crate::{CaseResult, Law, Outcome, Property, Report};

    #[test]
    fn the_matrix_counts_and_names_what_is_not_proved() {
        let result = |name, outcome| CaseResult { law: Law::L5, name, outcome };
        let report = Report {
            fixture: "paper",
            results: vec![
                result("l05::one", Outcome::Proved),
                result("l05::two", Outcome::Failing("ended\nat once".to_owned())),
                result("l05::three", Outcome::Unproven("no faults".to_owned())),
            ],
            stale: vec!["l05::four"],
            properties: &[(Property::TellsWholeLists, "so it answers")],
            missing: None,
        };
        let text = report.to_string();
        let row = text.lines().find(|line| line.starts_with("L5 ")).expect("a row for L5");
        assert_eq!(row.split_whitespace().rev().take(4).collect::<Vec<_>>(), ["1", "1", "1", "3"]);
        assert!(text.contains("failing   l05::two: ended\n"), "{text}");
        assert!(text.contains("property  tells whole lists: so it answers\n"), "{text}");
        assert!(text.contains("stale     l05::four: "), "{text}");
        assert!(text.contains("unproven  l05::three: no faults\n"), "{text}");
    }
}
