//! How often a question that is held back may be asked: its return is no proof of a change, and an agent may answer at once for as long as it is asked.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// So many at once, and then one every so often.
const BURST: u32 = 20;
const EVERY: Duration = Duration::from_millis(50);

/// A small bucket of questions, for one who asks.
#[derive(Debug)]
pub(crate) struct Brake {
    /// When all that was asked would have been due, one every so often.
    due: Instant,
}

impl Brake {
    pub(crate) fn new() -> Self {
        Self { due: Instant::now() }
    }

    /// Before a question.
    pub(crate) async fn pass(&mut self) {
        let now = Instant::now();
        self.due = self.due.max(now) + EVERY;
        let over = (self.due - now).saturating_sub(EVERY * BURST);
        if !over.is_zero() {
            sleep(over).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_a_flood_does_not() {
        let (mut brake, begun) = (Brake::new(), Instant::now());
        for _ in 0..BURST {
            brake.pass().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            brake.pass().await;
        }
        assert!(begun.elapsed() >= EVERY * 99, "{:?}", begun.elapsed());
        sleep(EVERY * BURST * 2).await;
        let again = Instant::now();
        brake.pass().await;
        assert_eq!(again.elapsed(), Duration::ZERO, "the bucket fills again");
    }
}
