//! Runs commands that take long: their output is passed on as it comes, their time is bounded.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use crate::Result;

/// How many tests passed and failed, summed over every suite that a command ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) suites: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Counts a line `test result: ok. 3 passed; 0 failed; ...`; other lines count nothing.
    pub(crate) fn count(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("test result: ") else { return };
        let number = |what: &str| {
            let before = result.split(what).next().filter(|before| before.len() < result.len())?;
            before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        };
        self.suites += 1;
        self.passed += number(" passed").unwrap_or_default();
        self.failed += number(" failed").unwrap_or_default();
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// A bound on a step.
pub(crate) const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// Monotonic time for what a person reads.
#[expect(clippy::disallowed_methods, reason = "a task measures its own steps; nothing is decided by them")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs `command` for at most `limit` and fails unless it succeeds.
pub(crate) fn bounded(command: &mut Command, limit: Duration) -> Result<()> {
    let child = own_group(command).stdin(Stdio::null()).spawn().map_err(|e| failed_to_start(command, &e))?;
    let status = wait(child, limit)?;
    succeeded(command, status)
}

/// As [`bounded`], and hands every line of the standard output to `seen` when it comes.
pub(crate) fn lines(command: &mut Command, limit: Option<Duration>, seen: impl FnMut(&str)) -> Result<()> {
    watched(command, limit, &|| false, seen)
}

/// As [`lines`], and ends a bounded command with its children as soon as `stop` says so.
pub(crate) fn watched(
    command: &mut Command,
    limit: Option<Duration>,
    stop: &dyn Fn() -> bool,
    mut seen: impl FnMut(&str),
) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    if limit.is_some() {
        own_group(command);
    }
    let mut child = command.spawn().map_err(|e| failed_to_start(command, &e))?;
    let (sender, receiver) = sync_channel(1024);
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || forward(stdout, &sender));
    }
    let started = now();
    let mut status = None;
    let mut grace = Duration::from_secs(2);
    loop {
        // After the end of the command only its own last lines are waited for: a process that it
        // left behind may hold the pipe open for ever.
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => seen(&line),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) if status.is_some() => break,
            Err(_) if status.is_some() && grace.is_zero() => break,
            Err(_) if status.is_some() => grace = grace.saturating_sub(Duration::from_millis(100)),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(20)),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
        }
        if status.is_none() {
            status = child.try_wait().map_err(|e| e.to_string())?;
            if let Some(limit) = limit
                && status.is_none()
            {
                if started.elapsed() > limit {
                    return Err(over(child, limit));
                }
                if stop() {
                    end(child);
                    return Err(format!("`{}` was stopped", spelled(command)));
                }
            }
        }
    }
    status.map_or_else(|| Err("it ended without a status".to_owned()), |status| succeeded(command, status))
}

fn forward(stdout: impl Read, sender: &SyncSender<String>) {
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        if sender.send(text).is_err() {
            break;
        }
        line.clear();
    }
}

fn wait(mut child: Child, limit: Duration) -> Result<ExitStatus> {
    let started = now();
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Ok(status);
        }
        if started.elapsed() > limit {
            return Err(over(child, limit));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Ends a command that took too long.
fn over(child: Child, limit: Duration) -> String {
    end(child);
    format!("stopped after {} s: over its time", limit.as_secs())
}

/// Ends a command with all that it started.
fn end(mut child: Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        // The group is the child's own: `own_group` made it.
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
    }
    drop(child.kill());
    drop(child.wait());
}

/// Ends the children of a command that waits for them and then ends itself, so that none is left for others to reap.
pub(crate) fn end_inner(mut child: Child, grace: Duration) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        let id = child.id();
        let inner = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let pids = inner.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        // Their parent is ours and waits, so the numbers still mean these.
        for pid in pids {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let started = now();
    while started.elapsed() < grace && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
}

/// Gives a bounded command a process group, so that it can be ended with its children.
pub(crate) fn own_group(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    command
}

fn failed_to_start(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` did not start: {error}", spelled(command))
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", spelled(command))) }
}

/// The command as one would type it, with the short name of its program.
pub(crate) fn spelled(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed_and_others_ignored() {
        let mut tally = Tally::default();
        tally.count("test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out");
        tally.count("test result: FAILED. 1 passed; 2 failed; 0 ignored");
        tally.count("test result_of_a_name ... ok");
        tally.count("13 passed, 2 failed");
        assert_eq!(tally, Tally { suites: 2, passed: 13, failed: 2 });
        assert_eq!(tally.to_string(), "13 passed, 2 failed");
    }

    #[test]
    fn a_failing_command_is_named() {
        let wrong = bounded(Command::new("sh").args(["-c", "exit 3"]), Duration::from_secs(10)).unwrap_err();
        assert!(wrong.contains("sh -c exit 3") && wrong.contains('3'), "{wrong}");
    }

    #[test]
    fn a_command_over_its_time_is_ended_with_its_children() {
        let started = now();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60"]);
        let wrong = lines(&mut command, Some(Duration::from_millis(200)), |_| ()).unwrap_err();
        assert!(wrong.contains("over its time"), "{wrong}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_command_is_ended_as_soon_as_it_shall_stop() {
        let started = now();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60"]);
        let stop = || started.elapsed() > Duration::from_millis(200);
        let wrong = watched(&mut command, Some(minutes(1)), &stop, |_| ()).unwrap_err();
        assert!(wrong.contains("was stopped"), "{wrong}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_command_that_waits_for_its_children_ends_after_them() {
        let started = now();
        let child = Command::new("sh").args(["-c", "sleep 60; true"]).stderr(Stdio::null()).spawn().unwrap();
        let id = child.id();
        let children = || std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        while children().is_ok_and(|pids| pids.is_empty()) {
            assert!(started.elapsed() < Duration::from_secs(10));
        }
        end_inner(child, Duration::from_secs(30));
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_process_left_behind_does_not_hold_the_run() {
        let started = now();
        let mut seen = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 20 & echo done"]);
        lines(&mut command, None, |line| seen.push(line.to_owned())).unwrap();
        assert_eq!(seen, ["done"]);
        assert!(started.elapsed() < Duration::from_secs(15));
    }
}
