//! How much memory this process holds: what it has allocated, or what the system counts.
//!
//! With the feature `heap` every allocation is counted, which is exact and slows every one down a little; without it the resident
//! set is read, which is what stays after the allocator's habits.

use crate::Result;

#[cfg(feature = "heap")]
#[global_allocator]
static HEAP: stats_alloc::StatsAlloc<std::alloc::System> = stats_alloc::StatsAlloc::system();

/// Where the numbers come from.
pub(crate) const SOURCE: &str = if cfg!(feature = "heap") { "heap" } else { "resident" };

/// What is held at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    bytes: usize,
    /// Allocations, where they are counted.
    blocks: usize,
}

impl Held {
    /// Bytes and allocations that came since, for each of so many.
    pub(crate) fn since(&self, earlier: &Self, each: usize) -> (f64, f64) {
        let grown = |now: usize, before: usize| crate::report::float(now.saturating_sub(before));
        let each = crate::report::float(each);
        (grown(self.bytes, earlier.bytes) / each, grown(self.blocks, earlier.blocks) / each)
    }
}

#[cfg(feature = "heap")]
pub(crate) fn held() -> Result<Held> {
    let stats = HEAP.stats();
    Ok(Held {
        bytes: stats.bytes_allocated.saturating_sub(stats.bytes_deallocated),
        blocks: stats.allocations.saturating_sub(stats.deallocations),
    })
}

#[cfg(not(feature = "heap"))]
pub(crate) fn held() -> Result<Held> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"));
    let kilobytes: usize = kilobytes.ok_or("the system does not tell the resident set")?.trim().parse()?;
    Ok(Held { bytes: kilobytes * 1024, blocks: 0 })
}
