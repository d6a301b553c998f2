//! What failed in a whole run is played again, alone. It passes when it holds there twice, and is named: a failure is
//! never hidden, and a grave one never excused.

/// With more failures than this nothing is played again: then it is not for want of a processor.
const MOST: usize = 5;

/// How often a test has to hold, one time after the other.
pub(crate) const TIMES: usize = 2;

/// Words of a failure that no later success makes good: two held one thing, or a token fell.
const GRAVE: &[&str] = &["I1 (", "I2 (", "held at one instant"];

/// The laws of the same: one leader at a time, and rising tokens.
const GRAVE_LAWS: &[&str] = &["l09::", "l10::"];

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// What cargo is told to play its suite alone, as in `-p reception-tests --test costs`.
    pub(crate) suite: String,
    pub(crate) name: String,
}

impl Failed {
    /// What cargo is told to play it. No package is picked: with another choice of features everything would be built anew.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut suite = self.suite.split_whitespace();
        let targets = suite.by_ref().skip_while(|word| *word == "-p").skip(1);
        targets.chain(["--", "--exact", &self.name]).map(str::to_owned).collect()
    }
}

/// The failures in what one `cargo test` and its suites print.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    found: Vec<Failed>,
    /// What the suite that is printed now has listed; cargo says after it how to play that suite again.
    names: Vec<String>,
    listing: bool,
    /// A failure is grave, or a suite failed that names no test.
    inexcusable: bool,
}

impl Failures {
    /// Takes the next line.
    pub(crate) fn see(&mut self, line: &str) {
        self.inexcusable |= GRAVE.iter().any(|words| line.contains(words));
        if line == "failures:" {
            // The first list of a suite holds what its tests said, the last one their names.
            (self.listing, self.names) = (true, Vec::new());
        } else if let Some(name) = line.strip_prefix("    ").filter(|_| self.listing) {
            self.names.push(name.to_owned());
        } else {
            self.listing = false;
        }
        let failed = line.strip_prefix("error: ").filter(|rest| rest.contains("test failed, to rerun pass"));
        if let Some(suite) = failed.and_then(|rest| rest.split('`').nth(1)) {
            self.end_suite(suite);
        }
    }

    fn end_suite(&mut self, suite: &str) {
        let names = std::mem::take(&mut self.names);
        self.inexcusable |= names.is_empty() || suite.ends_with("--doc");
        let failed = |name: String| Failed { suite: suite.to_owned(), name };
        self.found.extend(names.into_iter().map(failed));
    }

    fn excusable(&self) -> bool {
        let law = |one: &Failed| GRAVE_LAWS.iter().any(|law| one.name.contains(law));
        !self.inexcusable && !self.found.is_empty() && !self.found.iter().any(law)
    }
}

/// What is played again after commands of which some failed: everything that failed in them, or nothing.
pub(crate) fn worth_another_try<'a>(failed: impl IntoIterator<Item = &'a Failures>) -> Vec<Failed> {
    let mut all = Vec::new();
    for failures in failed {
        if !failures.excusable() {
            return Vec::new();
        }
        all.extend(failures.found.iter().cloned());
    }
    if all.len() > MOST { Vec::new() } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(rerun: &str, names: &[&str], said: &str) -> String {
        let list: String = names.iter().map(|name| format!("    {name}\n")).collect();
        let talk = format!("failures:\n\n---- {} ----\n{said}\n    at some place\n\n", names.join(", "));
        format!(
            "running 3 tests\n\n{talk}\nfailures:\n{list}\ntest result: FAILED. 1 passed\n\nerror: {rerun}\n"
        )
    }

    fn costs(names: &[&str], said: &str) -> String {
        suite("test failed, to rerun pass `-p reception-tests --test costs`", names, said)
    }

    fn seen(text: &str) -> Failures {
        let mut failures = Failures::default();
        text.lines().for_each(|line| failures.see(line));
        failures
    }

    fn names(texts: &[&str]) -> Vec<String> {
        let failures: Vec<Failures> = texts.iter().map(|text| seen(text)).collect();
        worth_another_try(&failures).into_iter().map(|failed| failed.name).collect()
    }

    #[test]
    fn a_few_failures_are_played_again_each_in_its_suite() {
        let lib = suite("test failed, to rerun pass `-p reception-kit --lib`", &["feed::late"], "late");
        let text = costs(&["hand_over::two", "watch::one"], "3 != 2") + &lib;
        let found = worth_another_try([&seen(&text)]);
        let words: Vec<String> = found.iter().map(|failed| failed.words().join(" ")).collect();
        let expected = [
            "--test costs -- --exact hand_over::two",
            "--test costs -- --exact watch::one",
            "--lib -- --exact feed::late",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn many_failures_are_not_played_again() {
        let (first, beside) = (costs(&["a", "b", "c"], ""), costs(&["d", "e", "f"], ""));
        assert_eq!(names(&[&first]), ["a", "b", "c"]);
        assert!(names(&[&first, &beside]).is_empty());
    }

    #[test]
    fn a_grave_failure_is_not_played_again_nor_what_failed_beside_it() {
        for said in
            ["I1 (no two hold one leadership at a time): 4 ms", "two leaderships are held at one instant"]
        {
            assert!(names(&[&costs(&["a"], said)]).is_empty(), "{said}");
        }
        assert!(names(&[&costs(&["a", "etcd::l10::tokens_rise"], "")]).is_empty());
    }

    #[test]
    fn a_suite_that_broke_off_is_not_played_again() {
        let broken = "error: test failed, to rerun pass `-p reception-tests --test costs`\n";
        assert!(names(&[&(costs(&["a"], "") + broken)]).is_empty());
        assert!(names(&[&costs(&["a"], ""), "error: could not compile\n"]).is_empty());
        let page =
            suite("doctest failed, to rerun pass `-p reception-kit --doc`", &["a.rs - b (line 3)"], "");
        assert!(names(&[&page]).is_empty());
    }
}
