//! When to try again.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use reception_core::{Error, Moment, Retry};

const FIRST: Duration = Duration::from_millis(50);
const CAP: Duration = Duration::from_secs(5);
/// A reset before this much calm would turn a flapping store into a busy loop.
pub(crate) const CALM: Duration = Duration::from_secs(1);
const FLOOR: Duration = Duration::from_millis(1);

/// Doubling waits with full jitter, from 50 ms up to 5 s.
///
/// A clone of a backoff that is not seeded draws its own waits, so that many tasks of one client do
/// not come back in step.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    tries: u32,
    seeded: bool,
    random: SmallRng,
}

impl Backoff {
    /// The project's default bounds.
    #[must_use]
    pub fn new() -> Self {
        Self::with_bounds(FIRST, CAP)
    }

    /// Waits from at most `first` up to at most `cap`.
    #[must_use]
    pub fn with_bounds(first: Duration, cap: Duration) -> Self {
        Self { first: first.min(cap), cap, tries: 0, seeded: false, random: own_random() }
    }

    /// The default bounds with waits that repeat from run to run.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seeded: true, random: SmallRng::seed_from_u64(seed), ..Self::new() }
    }

    /// How long to wait after this error; never shorter than its [`Retry::After`].
    pub fn next(&mut self, error: &Error) -> Duration {
        if let Retry::After(least) = error.retry() {
            return least.saturating_add(self.random.random_range(Duration::ZERO..=least / 10));
        }
        let most = self.first.saturating_mul(1_u32.checked_shl(self.tries).unwrap_or(u32::MAX)).min(self.cap);
        self.tries = self.tries.saturating_add(1);
        self.random.random_range(Duration::ZERO..=most).max(FLOOR)
    }

    /// Starts over when all was well from `since` until now for at least a second.
    pub fn healthy(&mut self, since: Moment, now: Moment) {
        if now.saturating_since(since) >= CALM {
            self.reset();
        }
    }

    /// Starts over.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

impl Clone for Backoff {
    fn clone(&self) -> Self {
        let random = if self.seeded { self.random.clone() } else { own_random() };
        Self { first: self.first, cap: self.cap, tries: self.tries, seeded: self.seeded, random }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

fn own_random() -> SmallRng {
    SmallRng::from_rng(&mut rand::rng())
}

#[cfg(test)]
mod tests {
    use reception_core::ErrorKind;

    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "test", "write", "broken")
    }

    #[test]
    fn waits_double_up_to_the_cap_and_start_over_after_calm() {
        let mut backoff = Backoff::seeded(7);
        let unavailable = error(ErrorKind::Unavailable);
        for tries in 0..40_u32 {
            let most = CAP.min(FIRST * 2_u32.pow(tries.min(20)));
            assert!(backoff.next(&unavailable) <= most, "try {tries}");
        }
        let start = Moment::from_duration(Duration::from_secs(9));
        backoff.healthy(start, start.saturating_add(CALM / 2));
        assert!(backoff.tries > 0);
        backoff.healthy(start, start.saturating_add(CALM));
        assert!(backoff.next(&unavailable) <= FIRST);
    }

    #[test]
    fn a_told_wait_is_honoured() {
        let wait = Backoff::seeded(1).next(&error(ErrorKind::Denied));
        assert!(wait >= Duration::from_secs(30) && wait <= Duration::from_secs(33), "{wait:?}");
    }

    #[test]
    fn clones_draw_their_own_waits_unless_seeded() {
        let unavailable = error(ErrorKind::Unavailable);
        let draw = |mut backoff: Backoff| (0..8).map(|_| backoff.next(&unavailable)).collect::<Vec<_>>();
        let own = Backoff::new();
        assert_ne!(draw(own.clone()), draw(own));
        let seeded = Backoff::seeded(3);
        assert_eq!(draw(seeded.clone()), draw(seeded));
    }
}
