//! A program that uses the library as its users do, and writes down what it sees.
//!
//! It stands for election, registers instances and watches services through the public API alone, and appends a line to a shared
//! history for each thing that happens. A checker judges the lines; this program judges nothing. `contender --help` names its options.

mod arguments;
mod journal;
mod serving;
mod standing;
mod term;
mod watching;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use reception::Client;
use reception_lab::history::Event;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::{
    arguments::{Arguments, USAGE},
    journal::Journal,
};

/// What goes wrong here, in words.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => Arc::new(arguments),
        Ok(None) => {
            drop(writeln!(io::stdout(), "{USAGE}"));
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            drop(writeln!(io::stderr(), "contender: {wrong}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let work = || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(run(&arguments))
    };
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            drop(writeln!(io::stderr(), "contender: {wrong}"));
            ExitCode::FAILURE
        }
    }
}

/// Plays its parts until SIGTERM or the first that fails, then ends them in order and closes the client.
async fn run(arguments: &Arc<Arguments>) -> Outcome<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let journal = Journal::open(arguments)?;
    let client = reception::dial(&arguments.url).await?;
    let (over, stop) = watch::channel(false);
    let mut parts = play(arguments, &client, &journal, &stop);
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            _ = terminated.recv(), if !*over.borrow() => drop(over.send_replace(true)),
            part = parts.join_next() => match part {
                Some(ended) => {
                    let ended = ended.map_err(Into::into).and_then(|ended| ended);
                    if ended.is_err() {
                        over.send_replace(true);
                        outcome = outcome.and(ended);
                    }
                }
                None if *over.borrow() => break,
                // Nothing is left to play: wait to be told to go.
                None => {
                    terminated.recv().await;
                    break;
                }
            },
        }
    }
    journal.say(Event::Closing, &[]);
    let closed = client.close().await;
    journal.say(Event::Closed, &[("ok", if closed.is_ok() { "true" } else { "false" })]);
    outcome.and(closed.map_err(Into::into))
}

fn play(
    arguments: &Arc<Arguments>,
    client: &Arc<dyn Client>,
    journal: &Journal,
    stop: &Stop,
) -> JoinSet<Outcome<()>> {
    let mut parts = JoinSet::new();
    let with = || (Arc::clone(arguments), Arc::clone(client), journal.clone(), stop.clone());
    if let Some(election) = arguments.election.clone() {
        let (arguments, client, journal, stop) = with();
        if arguments.observe {
            parts.spawn(watching::observe(client.clone(), election.clone(), journal.clone(), stop.clone()));
        }
        if arguments.stand {
            parts.spawn(standing::stand(arguments, client, election, journal, stop));
        }
    }
    if let Some(service) = &arguments.service {
        for number in 0..arguments.instances {
            let (arguments, client, journal, stop) = with();
            let id = format!("{}-{number}", arguments.id);
            parts.spawn(serving::serve(client, service.clone(), id, journal, stop));
        }
    }
    for (number, service) in (1..).zip(&arguments.watches) {
        let (_, client, journal, stop) = with();
        parts.spawn(watching::watch(client, service.clone(), number, journal, stop));
    }
    parts
}

/// Turns true when everything is to end.
type Stop = watch::Receiver<bool>;

/// Resolves when everything is to end.
async fn stopped(stop: &mut Stop) {
    // A sender that is gone says the same.
    drop(stop.wait_for(|over| *over).await);
}
