//! The bench program of Reception: counts, times, and ratios against the raw clients.

mod args;
mod commands;
mod cpu;
mod heap;
mod play;
mod raw;
mod record;
mod report;
mod room;
mod stage;
mod store;
mod table;
mod way;

use std::{io::Write, process::ExitCode};

use crate::{
    args::{Args, Wish},
    play::play,
    stage::Stage,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

/// What a shell's own commands answer to words they do not know.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, url] = words.as_slice()
        && word == commands::VICTIM
    {
        return ended(word, on_runtime(commands::lead(url)));
    }
    match args::parse(words) {
        Ok(Wish::Help(text)) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Ok(Wish::Run(args)) => ended(args.command.name, on_runtime(run(&args))),
        Err(misuse) => {
            say(&misuse);
            ExitCode::from(MISUSED)
        }
    }
}

fn on_runtime(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn ended(what: &str, outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("{what}: {}", chain(&*failure)));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<()> {
    let stage = Stage::open(args).await?;
    let outcome = perform(args, &stage).await;
    // Also after a failure, which then is what there is to tell.
    let cleared = stage.clear().await;
    outcome.and(cleared)
}

async fn perform(args: &Args, stage: &Stage) -> Result<()> {
    match args.command.name {
        "register" => play::<commands::Register>(args, stage).await,
        "watch" => play::<commands::Watch>(args, stage).await,
        "list" if args.flag("cached") => play::<commands::Cached>(args, stage).await,
        "list" => play::<commands::List>(args, stage).await,
        "failover" if args.text("mode") == "kill" => play::<commands::Kill>(args, stage).await,
        "failover" => play::<commands::Resign>(args, stage).await,
        "idle" => play::<commands::Idle>(args, stage).await,
        "publish" => play::<commands::Publish>(args, stage).await,
        "memory" => play::<commands::Memory>(args, stage).await,
        "fanout" => play::<commands::Fanout>(args, stage).await,
        "burst" => play::<commands::Burst>(args, stage).await,
        "reconnect" => play::<commands::Reconnect>(args, stage).await,
        "exit" => play::<commands::Exit>(args, stage).await,
        other => Err(format!("{other} is not carried out").into()),
    }
}

fn chain(failure: &dyn std::error::Error) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn say(text: &str) {
    // Nobody to tell when standard error is closed.
    drop(writeln!(std::io::stderr(), "reception-bench: {}", text.trim_end()));
}
