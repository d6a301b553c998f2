//! What a backend brings for one candidacy.

use std::{future::Future, time::Duration};

use reception_core::{Clock, ElectionName, Error, FencingToken, Moment, Result};

use crate::backoff::Backoff;

/// One candidacy in a store.
pub trait Claim: Send + 'static {
    /// Stands, or finds its standing candidate again, and waits until it leads; looks at its own key
    /// again after the wait. Idempotent.
    ///
    /// # Errors
    ///
    /// After Unavailable, Timeout and LeaseLost it is called again; any other error ends the candidacy.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any await; `release` withdraws what it left.
    fn win(&mut self) -> impl Future<Output = Result<Won>> + Send;

    /// While leading: an acknowledged renewal, or the loss.
    ///
    /// # Cancel safety
    ///
    /// Dropped and called again at will, without losing a renewal or the loss.
    fn pulse(&mut self) -> impl Future<Output = Pulse> + Send;

    /// Withdraws the candidate, also one that a dropped `win` left half made. Idempotent.
    ///
    /// # Errors
    ///
    /// Any error means that the candidate may still stand.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any await; the next call goes on with what is left.
    fn release(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// A win: the token, and when the grant was asked for and for how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Won {
    /// The fencing token.
    pub token: FencingToken,
    /// The moment before the request that was granted.
    pub sent: Moment,
    /// How long the grant lasts from then on.
    pub ttl: Duration,
}

impl Won {
    /// A win that lasts for `ttl` from `sent` on unless renewed.
    #[must_use]
    pub const fn new(token: FencingToken, sent: Moment, ttl: Duration) -> Self {
        Self { token, sent, ttl }
    }

    /// A win without a deadline.
    #[must_use]
    pub const fn forever(token: FencingToken) -> Self {
        Self { token, sent: Moment::NEVER, ttl: Duration::MAX }
    }
}

/// News while leading.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Pulse {
    /// The store acknowledged a renewal.
    Renewed {
        /// The moment before the renewal was sent.
        sent: Moment,
        /// What it granted.
        ttl: Duration,
    },
    /// The claim is gone, known for certain.
    Lost(Error),
}

/// How a candidate stands.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "backends build it in one place and the kit is exempt from semver"
)]
pub struct Standing {
    /// The election, for events.
    pub election: ElectionName,
    /// Where time comes from.
    pub clock: Clock,
    /// How long before the store's own deadline the leadership ends here.
    pub margin: Duration,
    /// Waits between attempts that failed.
    pub backoff: Backoff,
    /// How long a withdrawal may take before it is answered.
    pub timeout: Duration,
}
