//! What a case is.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::ground::Ground;

/// What a case needs of its row; a row lists what it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A candidate may lead.
    Elections,
    /// A claim ends with time.
    Expiry,
    /// Its content stands in the URL.
    Fixed,
    /// A server that can be killed, restarted and frozen.
    Outage,
    /// A death is seen at once, and not after a lease.
    Promptness,
    /// A leadership can be taken away from outside.
    Revoking,
    /// What one process does, others see.
    Sharing,
    /// A program of others can stand in its elections.
    Strangers,
    /// A server that asks for a password.
    Users,
    /// It takes registrations.
    Writing,
}

impl Need {
    /// Whether the case may take the server away from others, or change it for them.
    pub(crate) fn breaks(self) -> bool {
        matches!(self, Self::Outage | Self::Users)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elections => "elections",
            Self::Expiry => "claims that expire",
            Self::Fixed => "a fixed content",
            Self::Outage => "a server to take away",
            Self::Promptness => "deaths that are seen at once",
            Self::Revoking => "leaderships that can be taken away",
            Self::Sharing => "processes that share it",
            Self::Strangers => "candidates of other programs",
            Self::Users => "users with passwords",
            Self::Writing => "registrations",
        })
    }
}

/// One thing that must hold.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// What must hold, as a sentence with underscores.
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [Need],
    /// Panics when it does not hold.
    pub(crate) play: for<'a> fn(&'a Ground) -> BoxFuture<'a, ()>,
}

/// A row of a list of cases: `case!(name_of_an_async_fn, Need, ..)`.
#[macro_export]
macro_rules! case {
    ($play:ident $(, $need:ident)*) => {
        $crate::case::Case {
            name: stringify!($play),
            needs: &[$($crate::case::Need::$need),*],
            play: |ground| ::std::boxed::Box::pin($play(ground)),
        }
    };
}
