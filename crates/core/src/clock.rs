//! Time as a value: an instant since boot, and the clock that tells it.

use std::{fmt, sync::Arc, time::Duration};

/// An instant, told by a [`Clock`] as the time since boot.
///
/// Moments of one clock are ordered; all processes of one machine share the boot clock, other machines do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// No deadline: later than every other moment.
    pub const NEVER: Self = Self(Duration::MAX);

    /// The moment this long after boot.
    #[must_use]
    pub const fn from_duration(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// The moment `span` later, at most [`NEVER`](Self::NEVER).
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// The moment `span` earlier, at least the start of the clock; [`NEVER`](Self::NEVER) stays what it is.
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        if self == Self::NEVER { self } else { Self(self.0.saturating_sub(span)) }
    }

    /// The span from `earlier` to this moment, zero when it is later; `Duration::MAX` from anywhere to [`NEVER`](Self::NEVER).
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        if self == Self::NEVER { Duration::MAX } else { self.0.saturating_sub(earlier.0) }
    }

    /// The time since boot.
    #[must_use]
    pub const fn since_boot(self) -> Duration {
        self.0
    }
}

/// Tells the time. A value, so that a test's clock can move with its runtime.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Boot,
    Made(Arc<dyn Fn() -> Moment + Send + Sync>),
}

impl Clock {
    /// The boot clock of this machine. Time asleep counts: a lease runs out while a laptop sleeps, and so must its deadline here.
    pub const BOOT: Self = Self(Source::Boot);

    /// A clock that asks `now`.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self(Source::Made(Arc::new(now)))
    }

    /// The moment now.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &self.0 {
            Source::Boot => boot(),
            Source::Made(now) => now(),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::BOOT
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Boot => "Clock::BOOT",
            Source::Made(_) => "Clock::from_fn",
        })
    }
}

/// `CLOCK_BOOTTIME` where there is one. On Apple systems `CLOCK_MONOTONIC` is the clock that goes on while the machine sleeps.
fn boot() -> Moment {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let id = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(id);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0));
    Moment(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_does_not_go_back() {
        let first = Clock::BOOT.now();
        assert!(Clock::BOOT.now() >= first);
    }

    #[test]
    fn never_stays_never() {
        assert_eq!(Moment::NEVER.saturating_add(Duration::from_secs(1)), Moment::NEVER);
        assert_eq!(Moment::NEVER.saturating_sub(Duration::from_secs(1)), Moment::NEVER);
        assert_eq!(Moment::NEVER.saturating_since(Clock::BOOT.now()), Duration::MAX);
    }
}
