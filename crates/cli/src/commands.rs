//! One file for each command.

mod backends;
mod completions;
mod doctor;
mod elect;
mod leader;
mod list;
mod register;
mod watch;

use std::sync::Arc;

use reception::{Client, Result, Service, ServiceId};

use crate::{
    args::{Attribute, Cli, Command, Global},
    exit::{FAILED, Failure, Outcome},
    output::Output,
    signals::Signals,
};

/// Carries the command out; what it returns is what the process exits with.
pub(crate) async fn carry_out(cli: Cli) -> Outcome {
    let Cli { global, command } = cli;
    match command {
        Command::Backends => backends::carry_out(&Output::open(&global, None)?).await,
        Command::Completions(completions) => completions::carry_out(&completions),
        Command::Register(register) => register::carry_out(&global, *register).await,
        Command::Elect(elect) => elect::carry_out(&global, *elect).await,
        Command::List(list) => {
            let (client, output) = dialled(&global).await?;
            let outcome = list::carry_out(&*client, &list, &output).await;
            closed(client, outcome).await
        }
        Command::Watch(watch) => {
            let (client, output) = dialled(&global).await?;
            let outcome = watch::carry_out(&*client, &watch, &output).await;
            closed(client, outcome).await
        }
        Command::Leader(leader) => {
            let (client, output) = dialled(&global).await?;
            let outcome = leader::carry_out(&*client, &leader, &output).await;
            closed(client, outcome).await
        }
        Command::Doctor => {
            let (client, output) = dialled(&global).await?;
            let outcome = doctor::carry_out(&*client, &output).await;
            closed(client, outcome).await
        }
    }
}

/// The store, and stdout for what is told of it.
async fn dialled(global: &Global) -> Outcome<(Arc<dyn Client>, Output)> {
    Ok((reception::dial(global.url()).await?, Output::open(global, None)?))
}

/// What others see of us, checked before any I/O.
fn described(
    name: &str,
    address: &str,
    port: u16,
    id: Option<&ServiceId>,
    attributes: &[Attribute],
) -> Result<Service> {
    let mut builder = Service::builder(name, address, port);
    if let Some(id) = id {
        builder = builder.id(id.as_str());
    }
    for (key, value) in attributes {
        builder = builder.attribute(key, value);
    }
    builder.build()
}

/// Closes the client; that it could not be closed in order counts only where nothing else went wrong.
async fn closed(client: Arc<dyn Client>, outcome: Outcome) -> Outcome {
    let closed = client.close().await;
    let code = outcome?;
    match closed {
        Err(error) if code == 0 => Err(Failure::new(FAILED, error.to_string())),
        _ => Ok(code),
    }
}

/// Waits for what ends a command that has no end of its own: a signal, or that nobody reads it any more.
async fn stopped(signals: &mut Signals, output: &Output) -> Outcome {
    tokio::select! {
        () = signals.next() => Ok(0),
        broken = output.broken() => Err(broken.into()),
    }
}

/// Carries `work` out until it fails or the command is stopped.
async fn until_stopped(output: &Output, work: impl Future<Output = Outcome<()>> + Send) -> Outcome {
    let mut signals = Signals::listen()?;
    tokio::select! {
        outcome = stopped(&mut signals, output) => outcome,
        outcome = work => outcome.map(|()| 0),
    }
}
