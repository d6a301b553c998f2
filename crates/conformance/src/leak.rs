//! What must be back to its start after a trial: live tasks, threads and open descriptors.
//!
//! Tasks are counted per runtime, so they are exact however many trials run side by side. Threads and
//! descriptors belong to the process: a trial that ran alone from start to end is held to the exact counts (with
//! the small slack of what is opened once a process), one with neighbours to a generous allowance for each of
//! them. The trials of law L14 that count are always run alone.

use std::{fs, sync::Mutex, time::Duration};

use tokio::runtime::Handle;

/// How long tasks may take to notice that their client is gone.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

/// What stores, resolvers and the standard library open once and keep.
const ONCE: usize = 4;
/// What one neighbour may have open: its runtime, its clients, a server of its own.
const NEIGHBOUR: usize = 160;

/// Waits until the runtime has no more than `before` live tasks.
///
/// # Cancel safety
///
/// Only reads.
pub(crate) async fn tasks(before: usize, grace: Duration) -> Result<(), String> {
    let metrics = Handle::current().metrics();
    let pause = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        let now = metrics.num_alive_tasks();
        if now <= before {
            return Ok(());
        }
        if waited >= grace {
            return Err(format!(
                "{now} live tasks, {before} at the start, {grace:?} after everything was dropped"
            ));
        }
        tokio::time::sleep(pause).await;
        waited += pause;
    }
}

/// Threads and descriptors of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
}

impl Process {
    /// Counts from `/proc/self`; `None` where there is no such thing.
    pub(crate) fn count() -> Option<Self> {
        let entries = |path| fs::read_dir(path).ok().map(Iterator::count);
        Some(Self { threads: entries("/proc/self/task")?, descriptors: entries("/proc/self/fd")? })
    }
}

/// The process at the start of the run, and who has been running since.
#[derive(Debug)]
pub(crate) struct Ledger {
    at_start: Option<Process>,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    now: usize,
    started: usize,
    /// Trials that never ended: their threads are lost, so nothing can be counted any more.
    hung: usize,
}

/// One trial's entry in the ledger.
#[derive(Debug)]
pub(crate) struct Entry {
    alone: bool,
    started: usize,
    at_start: Option<Process>,
}

impl Ledger {
    pub(crate) fn open() -> Self {
        Self { at_start: Process::count(), running: Mutex::default() }
    }

    pub(crate) fn enter(&self) -> Entry {
        let mut running = lock(&self.running);
        running.now += 1;
        running.started += 1;
        Entry { alone: running.now == 1, started: running.started, at_start: Process::count() }
    }

    /// Ends a trial and compares. `hung`: its thread goes on for ever.
    pub(crate) fn leave(&self, entry: &Entry, hung: bool) -> Result<(), String> {
        let (alone, neighbours) = {
            let mut running = lock(&self.running);
            running.now -= 1;
            running.hung += usize::from(hung);
            if running.hung > 0 {
                return Ok(());
            }
            (entry.alone && running.started == entry.started, running.now)
        };
        let (before, slack) = match (alone, entry.at_start, self.at_start) {
            (true, Some(before), _) => (before, ONCE),
            (false, _, Some(before)) => (before, ONCE + NEIGHBOUR * (neighbours + 1)),
            _ => return Ok(()),
        };
        settle(before, slack)
    }
}

/// Compares, with a little patience: a thread that has ended stays listed for an instant.
fn settle(before: Process, slack: usize) -> Result<(), String> {
    let mut now = before;
    for _ in 0..40 {
        now = Process::count().unwrap_or(before);
        if now.threads <= before.threads + slack && now.descriptors <= before.descriptors + slack {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(format!(
        "{} threads and {} descriptors, {} and {} before",
        now.threads, now.descriptors, before.threads, before.descriptors
    ))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_left_behind_is_found() {
        let before = Process { threads: 1, descriptors: 1000 };
        if Process::count().is_some() {
            // The test's own thread beside the main one is already more than the one thread claimed.
            assert!(settle(Process { threads: 0, ..before }, 0).is_err());
            assert!(settle(Process { threads: 1000, ..before }, 0).is_ok());
        }
    }
}
