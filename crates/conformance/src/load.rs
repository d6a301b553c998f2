//! How long this machine has kept its tasks waiting for a processor.
//!
//! A bound of some hundred milliseconds judges the machine as much as the client when other work takes the
//! processors away between the hand that breaks something, the store, the client and the case that looks on. What
//! the kernel counted of that is added to the bound, and nothing else is: on an idle machine the bound is exact.

use std::{fs, time::Duration};

/// The counters of pressure stall information (Linux 4.20; absent when the kernel was built without it).
const PRESSURE: &str = "/proc/pressure/cpu";

/// A point in time from which the waiting is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    begun: Option<Duration>,
}

impl Load {
    pub(crate) fn now() -> Self {
        Self { begun: waited() }
    }

    /// How long since then at least one task was ready and had no processor; zero where nobody counts it.
    pub(crate) fn waited(&self) -> Duration {
        match (self.begun, waited()) {
            (Some(begun), Some(now)) => now.saturating_sub(begun),
            _ => Duration::ZERO,
        }
    }
}

fn waited() -> Option<Duration> {
    total(&fs::read_to_string(PRESSURE).ok()?)
}

/// `some avg10=0.00 avg60=0.46 avg300=2.17 total=24602998021`, in microseconds.
fn total(text: &str) -> Option<Duration> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    let total = some.split_whitespace().find_map(|word| word.strip_prefix("total="))?;
    total.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waiting_of_some_task_counts() {
        let text = "some avg10=0.00 avg60=0.46 avg300=2.17 total=1500\nfull avg10=0.00 total=7\n";
        assert_eq!(total(text), Some(Duration::from_micros(1500)));
        assert_eq!(total("full avg10=0.00 total=7\n"), None);
        assert_eq!(total("some total=many\n"), None);
    }

    #[test]
    fn nothing_counts_where_nobody_counts_it() {
        assert_eq!(Load { begun: None }.waited(), Duration::ZERO);
        assert!(Load::now().waited() <= Duration::from_secs(60));
    }
}
