//! What came of a run: one result per case.

use std::fmt;

use crate::{fixture::Property, law::Law};

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The law held.
    Proved,
    /// The law was broken, the case took too long, or it left something behind: what was seen.
    Failing(String),
    /// It cannot be shown with this fixture: why.
    Unproven(String),
}

/// One case and what came of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseResult {
    /// The law that the case is about.
    pub law: Law,
    /// The case's name, which starts with its law: `l05::a_cut_never_ends_a_stream`.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// All results of a run; `Display` prints the matrix.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The fixture's name.
    pub fixture: &'static str,
    /// One result per case that was played, by law.
    pub results: Vec<CaseResult>,
    /// Entries of the fixture's UNPROVEN list that name no case.
    pub stale: Vec<&'static str>,
    /// What the fixture states of its store, each with the reason.
    pub properties: &'static [(Property, &'static str)],
    /// Why the store could not be had; then there are no results.
    pub missing: Option<String>,
}

impl Report {
    /// Whether every case was proved.
    #[must_use]
    pub fn all_proved(&self) -> bool {
        self.missing.is_none()
            && self.stale.is_empty()
            && self.results.iter().all(|result| result.outcome == Outcome::Proved)
    }

    /// The cases that fail, by law.
    pub fn failing(&self) -> impl Iterator<Item = &CaseResult> {
        self.results.iter().filter(|result| matches!(result.outcome, Outcome::Failing(_)))
    }

    /// The cases that could not be shown, by law.
    pub fn unproven(&self) -> impl Iterator<Item = &CaseResult> {
        self.results.iter().filter(|result| matches!(result.outcome, Outcome::Unproven(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::matrix::print(self, f)
    }
}
