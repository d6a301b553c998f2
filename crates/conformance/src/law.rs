//! The laws by number, each with its short title.

use std::fmt;

/// A law of the project; the full text is `docs/laws.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Law {
    /// What is registered is listed.
    L1,
    /// The first good item of a stream is the whole state.
    L2,
    /// After an item the view equals the store.
    L3,
    /// Stale keeps the view, and the next good item is a Reset.
    L4,
    /// A stream ends only after a final error.
    L5,
    /// What was closed is gone and stays gone.
    L6,
    /// What is wanted comes back.
    L7,
    /// One live owner per id.
    L8,
    /// No two processes hold one leadership at one instant.
    L9,
    /// Tokens strictly grow.
    L10,
    /// Leadership ends at its deadline by the clock alone.
    L11,
    /// An elect that is canceled or dropped leaves no candidate.
    L12,
    /// After close every call answers Closed.
    L13,
    /// After close nothing of the client is left.
    L14,
    /// What we write is checked before any I/O.
    L15,
    /// What others wrote is read as it is.
    L16,
    /// One watch at the store per service and client.
    L17,
    /// The cost of a change does not grow with the service.
    L18,
}

impl Law {
    /// All laws in order.
    pub const ALL: [Self; 18] = [
        Self::L1,
        Self::L2,
        Self::L3,
        Self::L4,
        Self::L5,
        Self::L6,
        Self::L7,
        Self::L8,
        Self::L9,
        Self::L10,
        Self::L11,
        Self::L12,
        Self::L13,
        Self::L14,
        Self::L15,
        Self::L16,
        Self::L17,
        Self::L18,
    ];

    /// The number, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The law in a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::L1 => "what is registered is listed",
            Self::L2 => "the first good item is the whole state",
            Self::L3 => "after an item the view equals the store",
            Self::L4 => "stale keeps the view, then a reset",
            Self::L5 => "a stream ends only after a final error",
            Self::L6 => "what was closed is gone and stays gone",
            Self::L7 => "what is wanted comes back",
            Self::L8 => "one live owner per id",
            Self::L9 => "no two hold one leadership at one instant",
            Self::L10 => "tokens strictly grow",
            Self::L11 => "leadership ends at its deadline",
            Self::L12 => "a dropped elect leaves no candidate",
            Self::L13 => "after close everything answers closed",
            Self::L14 => "after close nothing is left",
            Self::L15 => "what we write is checked before any I/O",
            Self::L16 => "what others wrote is read as it is",
            Self::L17 => "one watch per service and client",
            Self::L18 => "a change costs the same in a large service",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("L{}", self.number()))
    }
}
