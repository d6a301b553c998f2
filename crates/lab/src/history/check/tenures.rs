//! Who led from when to when.

use std::collections::HashMap;

use super::{faults::Span, subject::Subject};
use crate::history::{Event, Line, Token};

/// One leadership: from `elected` on.
#[derive(Debug)]
pub(super) struct Tenure<'a> {
    pub(super) elected: &'a Line,
    pub(super) token: &'a Token,
    pub(super) last_claim: Option<&'a Line>,
    pub(super) resigning: Option<&'a Line>,
    pub(super) lost: Option<&'a Line>,
    /// Its candidacy: the last time before that it said it stands.
    pub(super) standing: Option<u64>,
}

impl<'a> Tenure<'a> {
    pub(super) fn subject(&self) -> Subject<'a> {
        Subject::of(self.elected)
    }

    /// Who stood: a client, or one of its candidates.
    pub(super) fn contender(&self) -> (Subject<'a>, &'a str) {
        (self.subject(), self.elected.details.get("id").unwrap_or(""))
    }

    /// The line that ended it.
    pub(super) fn end(&self) -> Option<&'a Line> {
        [self.resigning, self.lost].into_iter().flatten().min_by_key(|line| line.ns)
    }

    /// While it was held for certain: a claim's time was taken before the answer, which cannot turn back to yes.
    /// A leadership that was never claimed may have been over by the time its `elected` was written.
    pub(super) fn held(&self) -> Option<Span> {
        Some(Span::new(self.elected.ns, self.last_claim?.ns))
    }

    /// The lines that tell of it.
    pub(super) fn lines(&self) -> Vec<&'a Line> {
        [Some(self.elected), self.last_claim, self.resigning, self.lost].into_iter().flatten().collect()
    }
}

type Key<'a> = (Subject<'a>, &'a str, &'a Token);

/// A candidate: its client, the election, and its id; an empty id for any of them.
type Candidate<'a> = (Subject<'a>, &'a str, &'a str);

/// All leaderships, in the order of their elections.
#[derive(Debug, Default)]
pub(super) struct Tenures<'a> {
    all: Vec<Tenure<'a>>,
    by_token: HashMap<Key<'a>, usize>,
}

impl<'a> Tenures<'a> {
    pub(super) fn read(lines: &[&'a Line]) -> Self {
        let mut tenures = Self::default();
        let mut standing: HashMap<Candidate<'a>, u64> = HashMap::new();
        for line in lines {
            match line.event {
                Event::Standing => {
                    standing.insert(candidate(line), line.ns);
                    standing.insert((Subject::of(line), election(line), ""), line.ns);
                }
                Event::Elected => tenures.begin(line, standing.get(&candidate(line)).copied()),
                Event::Claim | Event::Lost | Event::Resigning => tenures.note(line),
                _ => {}
            }
        }
        tenures
    }

    fn begin(&mut self, line: &'a Line, standing: Option<u64>) {
        let Some(key) = key(line) else { return };
        let token = key.2;
        let tenure = Tenure { elected: line, token, last_claim: None, resigning: None, lost: None, standing };
        self.by_token.entry(key).or_insert(self.all.len());
        self.all.push(tenure);
    }

    fn note(&mut self, line: &'a Line) {
        let Some(tenure) = key(line).and_then(|key| self.all.get_mut(*self.by_token.get(&key)?)) else {
            return;
        };
        match line.event {
            Event::Claim => tenure.last_claim = Some(line),
            Event::Lost => tenure.lost = tenure.lost.or(Some(line)),
            _ => tenure.resigning = tenure.resigning.or(Some(line)),
        }
    }

    /// The leadership that a line is about.
    pub(super) fn of(&self, line: &'a Line) -> Option<&Tenure<'a>> {
        self.all.get(*self.by_token.get(&key(line)?)?)
    }

    /// The leaderships of each election, in their order.
    pub(super) fn elections(&self) -> Vec<Vec<&Tenure<'a>>> {
        let mut elections: Vec<(&str, Vec<&Tenure<'a>>)> = Vec::new();
        for tenure in &self.all {
            let name = election(tenure.elected);
            match elections.iter_mut().find(|(known, _)| *known == name) {
                Some((_, tenures)) => tenures.push(tenure),
                None => elections.push((name, vec![tenure])),
            }
        }
        elections.into_iter().map(|(_, tenures)| tenures).collect()
    }
}

fn key(line: &Line) -> Option<Key<'_>> {
    Some((Subject::of(line), election(line), line.token.as_ref()?))
}

fn candidate(line: &Line) -> Candidate<'_> {
    (Subject::of(line), election(line), line.details.get("id").unwrap_or(""))
}

/// The election that a line is about.
pub(super) fn election(line: &Line) -> &str {
    line.details.get("election").unwrap_or("")
}
