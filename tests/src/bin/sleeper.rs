//! A program that watches a service, does not look for a while, and tells how much memory that takes.
//!
//! `sleeper URL SERVICE`: a line when it has seen the first view; SIGTERM wakes it up, and a second line tells what it found. Its
//! memory is its own, which that of a scenario among others is not.

use std::{
    fs,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _};
use reception::{ClientExt as _, ServiceName};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    time::interval,
};

/// What goes wrong here, in words.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const LOOK: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, service] = &words[..] else {
        drop(writeln!(io::stderr(), "sleeper URL SERVICE"));
        return ExitCode::from(2);
    };
    let work =
        || Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(run(url, service));
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            drop(writeln!(io::stderr(), "sleeper: {wrong}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str, service: &str) -> Outcome<()> {
    let mut woken = signal(SignalKind::terminate())?;
    let name: ServiceName = service.parse()?;
    let client = reception::dial(url).await?;
    // Connected, and without a view.
    client.names().await?;
    let empty = resident()?;
    let mut watcher = client.watch(&name).await?;
    watcher.next().await.ok_or("the watch ended")??;
    let (first, mut most) = (resident()?, 0);
    writeln!(io::stdout(), "asleep empty={empty} first={first}")?;
    let mut looks = interval(LOOK);
    loop {
        tokio::select! {
            _ = woken.recv() => break,
            _ = looks.tick() => most = most.max(resident()?),
        }
    }
    let mut items = 0;
    while let Some(item) = watcher.next().now_or_never() {
        item.ok_or("the watch ended")??;
        items += 1;
    }
    most = most.max(resident()?);
    let count = watcher.current().map_or(0, reception::Snapshot::len);
    writeln!(io::stdout(), "awake most={most} items={items} instances={count}")?;
    client.close().await?;
    Ok(())
}

/// The memory of this process in KiB.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
