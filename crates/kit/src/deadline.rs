//! Waiting with an end: timers on the clock of the contract, and a limit around one operation.

use std::{future::Future, time::Duration};

use reception_core::{Clock, Error, ErrorKind, Moment, Result};

/// The runtime's timer stops while a machine sleeps, the clock does not: look at it this often.
const LONGEST_NAP: Duration = Duration::from_secs(10);

/// Waits until the clock shows `at`; for ever when that is [`Moment::NEVER`].
///
/// # Errors
///
/// None.
///
/// # Cancel safety
///
/// Cancel safe: it only waits.
pub async fn sleep_until(clock: &Clock, at: Moment) {
    if at == Moment::NEVER {
        std::future::pending::<()>().await;
    }
    loop {
        let left = at.saturating_since(clock.now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_NAP)).await;
    }
}

/// Runs `work` for at most `limit`.
///
/// # Errors
///
/// Those of `work`, and Timeout when it has not ended in time.
///
/// # Cancel safety
///
/// As `work`; when the limit passes `work` is dropped and its outcome is unknown.
pub async fn within<T>(
    limit: Duration,
    backend: &'static str,
    operation: &'static str,
    work: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(timed_out(limit, backend, operation)),
    }
}

pub(crate) fn timed_out(limit: Duration, backend: &'static str, operation: &'static str) -> Error {
    Error::new(ErrorKind::Timeout, backend, operation, format!("no answer within {:?}", readable(limit)))
}

/// The span as an error tells it: in whole milliseconds, unless it is shorter than one.
#[must_use]
pub fn readable(span: Duration) -> Duration {
    let millis = span.saturating_add(Duration::from_micros(500)).as_millis();
    match u64::try_from(millis) {
        Ok(millis @ 1..) => Duration::from_millis(millis),
        _ => span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_timeout_is_told_in_milliseconds() {
        let told = |nanos| format!("{:?}", readable(Duration::from_nanos(nanos)));
        assert_eq!(told(1_799_996_872), "1.8s");
        assert_eq!(told(249_400_000), "249ms");
        assert_eq!(told(3_000_000_000), "3s");
        assert_eq!(told(400_000), "400µs");
        assert_eq!(readable(Duration::MAX), Duration::MAX);
        let late = timed_out(Duration::from_nanos(1_799_996_872), "test", "list");
        assert!(late.to_string().contains("no answer within 1.8s"), "{late}");
    }
}
