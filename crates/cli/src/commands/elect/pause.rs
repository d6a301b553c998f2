//! How long to wait after a child that failed, before standing again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Doubling pauses with jitter; a child that worked for longer than the longest pause starts them over.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The pause after a child that failed after this long.
    pub(super) fn after(&mut self, worked: Duration) -> Duration {
        if worked > LONGEST {
            self.next = FIRST;
        }
        let most = self.next;
        self.next = (most * 2).min(LONGEST);
        // Random enough that candidates which fail together do not come back together.
        let part = RandomState::new().hash_one(most) % 1_000;
        most / 2 + most / 2 * u32::try_from(part).unwrap_or(0) / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds_and_start_over_after_work() {
        let mut pauses = Pauses::new();
        for most in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            let (most, pause) = (Duration::from_millis(most), pauses.after(Duration::ZERO));
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
        }
        assert!(pauses.after(Duration::from_secs(6)) <= FIRST);
    }
}
