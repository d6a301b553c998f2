//! Lays a backend, then plays the laws on it and says which file to open next.

use std::time::Duration;

use crate::{
    Result, protoc,
    run::lines,
    skeleton,
    workspace::{Workspace, cargo},
};

/// The room where a law is kept; the fixture decides what can be proved at all.
const ROOMS: &[(&[u8], &str)] = &[
    (&[1, 6, 7, 8, 15], "src/register.rs"),
    (&[2, 3, 4, 5, 16, 17, 18], "src/watch.rs"),
    (&[9, 10, 11, 12], "src/elect.rs"),
    (&[13, 14], "src/session.rs"),
];
/// How many cases of a list are shown.
const SHOWN: usize = 5;
const FIXTURE: &str = "tests/fixture/mod.rs";

/// What a case says that fails for want of a hook of the fixture.
const HOOKS: &[&str] = &["the fixture has no", "no store of its own"];

/// What a run of the suite printed that matters here.
#[derive(Debug, Default)]
struct Matrix {
    /// The table and the lists below it.
    lines: Vec<String>,
}

/// Lays the folder and rows where they are missing, runs the suite, prints the matrix and the file to open next.
pub(crate) fn run(workspace: &Workspace, name: &str) -> Result<()> {
    skeleton::lay(workspace, name)?;
    let mut matrix = Matrix::default();
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["test", "--quiet", "--all-features", "--test", "conformance"]);
    command.arg("--package").arg(format!("reception-{name}"));
    let limit = Duration::from_secs(15 * 60);
    let done = lines(protoc::provide(&mut command)?, Some(limit), |line| matrix.take(line));
    if matrix.lines.is_empty() {
        // It did not compile, or could not start: cargo or the suite said why.
        return done.and(Err("the suite printed no matrix".to_owned()));
    }
    println!("{}\n{}", matrix.short(name).join("\n"), matrix.next(name));
    Ok(())
}

impl Matrix {
    /// Keeps everything from the heading of the matrix on.
    fn take(&mut self, line: &str) {
        if !self.lines.is_empty() || line.starts_with("laws on ") {
            self.lines.push(line.trim_end().to_owned());
        }
    }

    /// The cases of the list with this title.
    fn cases(&self, title: &str) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter_map(move |line| line.strip_prefix(title)?.strip_prefix(' ').map(str::trim_start))
    }

    /// The table and the first cases of each list.
    fn short(&self, name: &str) -> Vec<String> {
        let mut shown: Vec<String> = self.lines.iter().filter(|line| !line.is_empty()).cloned().collect();
        for title in ["failing", "unproven"] {
            let listed = |line: &String| line.strip_prefix(title).is_some_and(|rest| rest.starts_with(' '));
            let at: Vec<usize> = (0..shown.len()).filter(|at| listed(&shown[*at])).collect();
            if let [_, .., last] = at[..]
                && at.len() > SHOWN
            {
                let more = format!(
                    "{title:<9} and {} more: `cargo xtask test --package reception-{name} --test conformance`",
                    at.len() - SHOWN
                );
                shown.splice(at[SHOWN]..=last, [more]);
            }
        }
        shown
    }

    fn next(&self, name: &str) -> String {
        let folder = format!("crates/backends/{name}");
        if let Some(case) = self.cases("failing").next() {
            let (case, why) = case.split_once(": ").unwrap_or((case, ""));
            let law = case.strip_prefix('l').and_then(|rest| rest.get(..2)?.parse().ok());
            let hook = HOOKS.iter().any(|hook| why.contains(hook));
            let room = law.filter(|_| !hook).map_or(FIXTURE, room);
            return format!(
                "next: open {folder}/{room} and make {case} hold; the same room of crates/backends/memory shows how"
            );
        }
        match (self.cases("stale").next(), self.cases("unproven").count()) {
            (Some(stale), _) => {
                format!("next: open {folder}/{FIXTURE} and take off UNPROVEN what is stale: {stale}")
            }
            (None, 0) if self.lines[0].contains(": missing:") => {
                format!("next: open {folder}/{FIXTURE} and start the store")
            }
            (None, 0) => "every law is proved".to_owned(),
            (None, unproven) => {
                format!("next: open {folder}/{FIXTURE} and add hooks: {unproven} cases are unproven")
            }
        }
    }
}

fn room(law: u8) -> &'static str {
    ROOMS.iter().find(|(laws, _)| laws.contains(&law)).map_or(FIXTURE, |(_, room)| room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(tail: &str) -> Matrix {
        let mut matrix = Matrix::default();
        format!("running 3 tests\ntest l01::a ... FAILED\nlaws on nats\nlaw cases\n{tail}")
            .lines()
            .for_each(|line| matrix.take(line));
        matrix
    }

    #[test]
    fn the_matrix_begins_at_its_heading() {
        assert_eq!(matrix("").lines, ["laws on nats", "law cases"]);
    }

    #[test]
    fn the_first_failing_law_names_its_room() {
        let next =
            |case: &str| matrix(&format!("unproven  l01::x: no\nfailing   {case}: it broke\n")).next("nats");
        assert!(
            next("l01::a")
                .starts_with("next: open crates/backends/nats/src/register.rs and make l01::a hold")
        );
        assert!(next("l05::b").contains("src/watch.rs"));
        assert!(next("l12::c").contains("src/elect.rs"));
        assert!(next("l14::d").contains("src/session.rs"));
    }

    #[test]
    fn a_case_that_wants_a_hook_names_the_fixture() {
        let next = matrix("failing   l04::a: unproven: the fixture has no faults").next("nats");
        assert!(next.starts_with("next: open crates/backends/nats/tests/fixture/mod.rs"), "{next}");
    }

    #[test]
    fn long_lists_are_cut_and_the_table_is_not() {
        let tail: String = (0..8).map(|n| format!("failing   l01::{n}: no\n")).collect();
        let shown = matrix(&(tail + "unproven  l02::x: no\n")).short("nats");
        assert_eq!(shown.len(), 2 + SHOWN + 1 + 1);
        assert!(shown[2 + SHOWN].contains("and 3 more"), "{shown:?}");
        assert_eq!(shown.last().unwrap(), "unproven  l02::x: no");
    }

    #[test]
    fn every_law_has_a_room() {
        for law in 1..=18 {
            assert_ne!(room(law), FIXTURE, "L{law}");
        }
    }

    #[test]
    fn without_a_failing_law_the_fixture_is_next_and_then_nothing() {
        assert!(matrix("unproven  l17::a: no meter").next("nats").contains("add hooks: 1 cases"));
        assert!(matrix("stale     l17::a: gone").next("nats").contains("take off UNPROVEN"));
        assert_eq!(matrix("").next("nats"), "every law is proved");
        let missing = Matrix { lines: vec!["laws on nats: missing: no server".to_owned()] };
        assert!(missing.next("nats").contains("start the store"));
    }
}
