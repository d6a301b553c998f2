//! A keeper, and its commands: bounded in time, and ended when the task that asked for them has ended.
//!
//! A task that has a keeper only starts it and waits. The keeper works in a process group of its own and holds one end
//! of a pipe from the task: however the task ends, by Ctrl-C or a kill, the pipe ends with it.

use std::{
    env,
    fs::{self, File},
    io::{self, Read, Write},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    run::{now, own_group, watched},
    workspace::Workspace,
};

/// How many lines of a failed command are shown.
const TAIL: usize = 15;

/// Runs the task that is called `keeper` as one, and says whether it succeeded.
pub(crate) fn kept(workspace: &Workspace, keeper: &str, words: &[String]) -> Result<bool> {
    let program = env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.arg(keeper).args(words).current_dir(&workspace.root).stdin(Stdio::piped());
    let mut keeper = own_group(&mut command).spawn().map_err(|e| format!("the keeper did not start: {e}"))?;
    // Taken out, since a wait would close it.
    let leash = keeper.stdin.take();
    let status = keeper.wait().map_err(|e| e.to_string())?;
    drop(leash);
    Ok(status.success())
}

/// Runs commands as long as nobody lets go.
pub(crate) struct Leash {
    dropped: Arc<AtomicBool>,
    /// When everything has to be over, once that is said.
    end: OnceLock<Instant>,
    /// What quiet commands say.
    log: PathBuf,
}

impl Leash {
    /// Holds until the standard input ends: its other end belongs to the task alone, so the kernel closes it
    /// however that one ends.
    pub(crate) fn held(log: PathBuf) -> Self {
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&dropped);
        thread::spawn(move || {
            let mut byte = [0];
            while io::stdin().read(&mut byte).is_ok_and(|read| read > 0) {}
            flag.store(true, Ordering::Release);
        });
        Self { dropped, end: OnceLock::new(), log }
    }

    /// Holds whatever happens: for the way down.
    pub(crate) fn firm(log: PathBuf) -> Self {
        Self { dropped: Arc::default(), end: OnceLock::new(), log }
    }

    /// From now on, whatever runs is stopped when `limit` has passed; said once.
    pub(crate) fn shorten(&self, limit: Duration) {
        self.end.get_or_init(|| now() + limit);
    }

    /// Why nothing goes on any more.
    pub(crate) fn ended(&self) -> Option<&'static str> {
        let over = self.end.get().is_some_and(|end| now() > *end);
        match self.dropped.load(Ordering::Acquire) {
            true => Some("the task was ended"),
            false => over.then_some("the whole took too long"),
        }
    }

    /// Runs a command whose lines are for the reader.
    pub(crate) fn lines(&self, command: &mut Command, limit: Duration, seen: impl FnMut(&str)) -> Result<()> {
        watched(command, Some(limit), &|| self.ended().is_some(), seen)
    }

    /// Runs a command that only answers.
    pub(crate) fn answer(&self, command: &mut Command, limit: Duration) -> Result<String> {
        let mut answer = String::new();
        self.logged(command, limit, |line, _| {
            answer.push_str(line);
            answer.push('\n');
        })?;
        Ok(answer)
    }

    /// Runs a command that has something to say only when it fails.
    pub(crate) fn quiet(&self, command: &mut Command, limit: Duration) -> Result<()> {
        self.logged(command, limit, |line, log| drop(writeln!(log, "{line}")))
    }

    fn logged(
        &self,
        command: &mut Command,
        limit: Duration,
        mut seen: impl FnMut(&str, &mut File),
    ) -> Result<()> {
        let opened = File::options().create(true).append(true).open(&self.log);
        let mut log = opened.map_err(|e| format!("{}: {e}", self.log.display()))?;
        let start = log.metadata().map_or(0, |of| of.len());
        command.stderr(log.try_clone().map_err(|e| e.to_string())?);
        let done = self.lines(command, limit, |line| seen(line, &mut log));
        done.map_err(|wrong| format!("{wrong}\n{}", self.tail(start)))
    }

    fn tail(&self, start: u64) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(log.get(start as usize..).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// Asks again and again until there is an answer; the last refusal is told.
    pub(crate) fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut probe: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let started = now();
        loop {
            let wrong = match probe() {
                Ok(answer) => return Ok(answer),
                Err(wrong) => wrong,
            };
            if let Some(why) = self.ended() {
                return Err(format!("stopped while waiting for {what}: {why}"));
            }
            if started.elapsed() > limit {
                return Err(format!("{what} took longer than {} s: {wrong}", limit.as_secs()));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Prints a line of the keeper; a reader who has gone is no reason to stop taking things down.
pub(crate) fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failed_command_shows_the_end_of_its_own_words() {
        let desk = tempfile::tempdir().unwrap();
        let leash = Leash::firm(desk.path().join("log"));
        leash.quiet(&mut shell("echo before"), SHORT).unwrap();
        let wrong = leash.quiet(&mut shell("seq 100 130; echo that is why >&2; exit 3"), SHORT).unwrap_err();
        assert!(wrong.contains("that is why") && wrong.contains("130"), "{wrong}");
        assert!(!wrong.contains("before") && !wrong.contains("101"), "{wrong}");
        assert_eq!(leash.answer(&mut shell("echo a; echo b >&2; echo c"), SHORT).unwrap(), "a\nc\n");
    }

    #[test]
    fn nothing_goes_on_when_the_leash_is_dropped() {
        let desk = tempfile::tempdir().unwrap();
        let leash = Leash::firm(desk.path().join("log"));
        leash.dropped.store(true, Ordering::Release);
        assert!(leash.quiet(&mut shell("sleep 60"), SHORT).unwrap_err().contains("was stopped"));
        let waited = leash.until("a sign", SHORT, || Err::<(), _>("none".to_owned())).unwrap_err();
        assert!(waited.contains("stopped"), "{waited}");
    }

    #[test]
    fn nothing_goes_on_when_the_whole_takes_too_long() {
        let desk = tempfile::tempdir().unwrap();
        let leash = Leash::firm(desk.path().join("log"));
        leash.shorten(Duration::from_millis(100));
        assert!(leash.quiet(&mut shell("sleep 60"), SHORT).unwrap_err().contains("was stopped"));
        assert_eq!(leash.ended(), Some("the whole took too long"));
    }

    #[test]
    fn a_wait_tells_the_last_refusal() {
        let leash = Leash::firm(PathBuf::new());
        let mut left = 2;
        let mut counted = || {
            left -= 1;
            if left == 0 { Ok("there") } else { Err("not yet".to_owned()) }
        };
        assert_eq!(leash.until("it", SHORT, &mut counted).unwrap(), "there");
        let late = leash.until("it", Duration::ZERO, || Err::<(), _>("never".to_owned())).unwrap_err();
        assert!(late.contains("never"), "{late}");
    }
}
