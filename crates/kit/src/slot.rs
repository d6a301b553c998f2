//! What a backend brings for one registration.

use std::{future::Future, time::Duration};

use reception_core::{Clock, Error, OnConflict, Result, Service};

use crate::backoff::Backoff;

/// The place of one registration in a store.
///
/// The keeper calls one method at a time. Every slot needs its own mark of ownership: a withdrawal
/// may go on after `close` or `register` has answered an error, beside a new registration of the id.
pub trait Slot: Send + 'static {
    /// Claims the id, or repairs or updates the record. Idempotent and bounded in time.
    ///
    /// # Errors
    ///
    /// Conflict when another owner holds the id; any other error may leave the outcome unknown, the
    /// next write or withdrawal settles it.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any await; what it left the next write or withdrawal settles.
    fn write(&mut self, service: &Service, attempt: Attempt) -> impl Future<Output = Result<()>> + Send;

    /// Removes what any write left; idempotent, and free when nothing was written. Ok means gone, and
    /// that no write of ours can bring it back (law L6).
    ///
    /// # Errors
    ///
    /// Any error means that something may be left.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any await; the next call goes on with what is left.
    fn withdraw(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Waits for news about the claim; called while no other method runs.
    ///
    /// # Cancel safety
    ///
    /// Dropped and called again at will, without losing news.
    fn news(&mut self) -> impl Future<Output = News> + Send;
}

/// Why the keeper writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attempt {
    /// The id is claimed for the first time, under this policy. A Conflict under
    /// [`OnConflict::Wait`] comes back as the same attempt, after a pause or on the slot's news.
    First(OnConflict),
    /// The record may be gone or of an old state: compare, and write what is wanted.
    Repair,
    /// The record is replaced by another of the same id.
    Update,
}

/// What a slot learns about its claim without being asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum News {
    /// The store cannot be reached; the claim may still stand.
    Doubtful(Error),
    /// The claim stands, or the id that was waited for is free.
    Healthy,
    /// The lease, session or key is gone: write again.
    Lost(Error),
    /// Another owner holds the id: the registration ends.
    Taken(Error),
}

/// How a registration is kept.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "backends build it in one place and the kit is exempt from semver"
)]
pub struct Keeping {
    /// Where time comes from.
    pub clock: Clock,
    /// Waits between attempts that failed.
    pub backoff: Backoff,
    /// How long `register`, `update` and `close` may take; waiting for a dying owner comes on top.
    pub timeout: Duration,
    /// How long a dead owner may still be seen.
    pub crash_bound: Duration,
    /// How often the record is compared with the store unasked; zero for never.
    pub reconcile: Duration,
}
