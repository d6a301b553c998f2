//! Processes by their numbers.

use std::{path::Path, time::Duration};

use reception_lab::eventually;
pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process, test_kill_process};

use crate::run::LIMIT;

/// The process of this number.
pub(crate) fn pid(number: u32) -> Pid {
    i32::try_from(number).ok().and_then(Pid::from_raw).expect("the number of a process")
}

pub(crate) fn send(number: u32, signal: Signal) {
    kill_process(pid(number), signal).expect("a process that takes a signal");
}

/// Whether it runs. One that is dead and not reaped does not.
pub(crate) fn is_alive(number: u32) -> bool {
    if !cfg!(target_os = "linux") {
        return test_kill_process(pid(number)).is_ok();
    }
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Waits for its end.
pub(crate) async fn gone(number: u32) {
    gone_within(number, LIMIT).await;
}

pub(crate) async fn gone_within(number: u32, limit: Duration) {
    let gone = eventually(limit, || async { if is_alive(number) { Err(number) } else { Ok(()) } }).await;
    gone.expect("a process that ends");
}

/// Waits until the file has so many whole lines: these.
pub(crate) async fn lines(file: &Path, count: usize) -> Vec<String> {
    let read = || async {
        let seen = all_lines(file);
        if seen.len() >= count { Ok(seen) } else { Err(seen) }
    };
    eventually(LIMIT, read).await.expect("lines in a file")
}

/// The whole lines that are there now.
pub(crate) fn all_lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}
