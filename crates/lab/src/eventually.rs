//! Waiting for a fact with a deadline.

use std::{fmt, future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

const PAUSE: Duration = Duration::from_millis(10);

/// A fact that did not come true in time, with what was seen last.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Late<S> {
    /// How long the wait was.
    pub waited: Duration,
    /// What the last finished probe saw; `None` when none finished.
    pub seen: Option<S>,
}

impl<S: fmt::Debug> fmt::Debug for Late<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.seen {
            Some(seen) => write!(f, "not within {:?}; seen last: {seen:?}", self.waited),
            None => write!(f, "not within {:?}; no probe finished", self.waited),
        }
    }
}

impl<S: fmt::Debug> fmt::Display for Late<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<S: fmt::Debug> std::error::Error for Late<S> {}

/// Asks `probe` again and again until it says `Ok`.
///
/// The probe's `Err` is what it saw instead; the last one is in the error. A probe that hangs is cut at
/// the deadline.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::{sync::atomic::{AtomicU32, Ordering}, time::Duration};
/// let asked = AtomicU32::new(0);
/// let answer = reception_lab::eventually(Duration::from_secs(5), || async {
///     let n = asked.fetch_add(1, Ordering::Relaxed);
///     if n == 2 { Ok("three times") } else { Err(n) }
/// });
/// assert_eq!(answer.await.unwrap(), "three times");
/// # }
/// ```
///
/// # Errors
///
/// [`Late`] when the deadline has passed.
///
/// # Cancel safety
///
/// Cancel safe if the probe's future is.
pub async fn eventually<T, S, P>(deadline: Duration, mut probe: impl FnMut() -> P) -> Result<T, Late<S>>
where
    P: Future<Output = Result<T, S>>,
{
    let end = Instant::now() + deadline;
    let mut seen = None;
    loop {
        match timeout_at(end, probe()).await {
            Ok(Ok(fact)) => return Ok(fact),
            Ok(Err(instead)) => seen = Some(instead),
            Err(_) => return Err(Late { waited: deadline, seen }),
        }
        if Instant::now() + PAUSE >= end {
            return Err(Late { waited: deadline, seen });
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_fact_reports_what_was_seen_last() {
        let mut n = 0;
        let late = eventually(Duration::from_millis(100), || {
            n += 1;
            std::future::ready(Err::<(), _>(n))
        });
        let late = late.await.unwrap_err();
        assert_eq!(late.seen, Some(n));
        assert!(late.to_string().starts_with("not within 100ms; seen last: "));
    }

    #[tokio::test]
    async fn a_hanging_probe_is_cut_at_the_deadline() {
        let late =
            eventually(Duration::from_millis(50), std::future::pending::<Result<(), ()>>).await.unwrap_err();
        assert_eq!(late.to_string(), "not within 50ms; no probe finished");
    }
}
