//! The command `reception`: register, watch and elect from a shell, on any store, by URL.
//!
//! What it prints with `-o json` and the codes that it exits with are a contract (README.md of this crate).

#[cfg(not(unix))]
compile_error!("the command needs Unix signals and process groups: use the library on other systems");

mod args;
mod child;
mod commands;
mod exit;
mod log;
mod output;
mod signals;
mod stderr;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Cli, exit::Outcome};

/// Long enough for a task that is being told, short enough for a person who waits.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_millis(200);

fn main() -> ExitCode {
    // Before anything else: this process is then not ours but on its way to be a child.
    if let Some(code) = child::entered() {
        return code;
    }
    let code = match Cli::try_parse() {
        Ok(cli) => {
            log::start(cli.global.verbose);
            exit::code(run(cli))
        }
        Err(told) => exit::misused(&told),
    };
    stderr::finish();
    code
}

/// The runtime has threads of its own beside this one, so that a slow reader of our output holds up no renewal.
fn run(cli: Cli) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // Here, on the main thread, children are started: Linux ends them with the thread that did.
    let outcome = runtime.block_on(commands::carry_out(cli));
    runtime.shutdown_timeout(LAST_WORDS);
    outcome
}
