//! The processor time of this process.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
