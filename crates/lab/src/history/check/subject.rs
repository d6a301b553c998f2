//! Whom a line is about.

use std::fmt;

use crate::history::Line;

/// A process, or one of the clients in it (`client=NAME`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Subject<'a> {
    pub(super) pid: u32,
    pub(super) client: Option<&'a str>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(line: &'a Line) -> Self {
        Self { pid: line.pid, client: line.details.get("client") }
    }

    /// The process itself.
    pub(super) const fn whole(self) -> Self {
        Self { pid: self.pid, client: None }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pid)?;
        self.client.map_or(Ok(()), |client| write!(f, "/{client}"))
    }
}
