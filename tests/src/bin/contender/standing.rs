//! Stands for election, leads, and stands again.

use std::{future::pending, sync::Arc};

use reception::{Client, ClientExt as _, ElectionName, Leadership, Service};
use reception_lab::history::Event;
use tokio::time::sleep;

use crate::{
    Outcome, Stop,
    arguments::Arguments,
    journal::Journal,
    stopped,
    term::{Term, Writing},
};

pub(crate) async fn stand(
    arguments: Arc<Arguments>,
    client: Arc<dyn Client>,
    election: ElectionName,
    journal: Journal,
    mut stop: Stop,
) -> Outcome<()> {
    let elector = client.elector(&election).await?;
    let candidate = Service::builder("contender", "127.0.0.1", 1).id(&arguments.id).build()?;
    let writing = Writing::new(&arguments);
    while !*stop.borrow() {
        journal.say(Event::Standing, &[("id", &arguments.id)]);
        let leadership = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            elected = elector.elect(candidate.clone()) => elected?,
        };
        lead(&arguments, leadership, &journal, &writing, &mut stop).await?;
    }
    elector.cancel().await?;
    Ok(())
}

/// Leads until it is lost, its time is over, or everything is to end.
async fn lead(
    arguments: &Arguments,
    leadership: Leadership,
    journal: &Journal,
    writing: &Arc<Writing>,
    stop: &mut Stop,
) -> Outcome<()> {
    let token = leadership.token().to_string().parse()?;
    journal.say_of(&token, Event::Elected, &[("id", &arguments.id)]);
    let mut term = Term::begin(leadership.tenure(), token.clone(), journal.clone(), Arc::clone(writing))?;
    let enough = async {
        match arguments.lead_for {
            Some(span) => sleep(span).await,
            None => pending().await,
        }
    };
    let lost = tokio::select! {
        biased;
        cause = leadership.lost() => {
            term.lost(&cause);
            // Whether it ever says again that it leads is seen in these.
            tokio::select! { () = sleep(arguments.linger) => {}, () = stopped(stop) => {} }
            true
        }
        () = stopped(stop) => false,
        () = enough => false,
    };
    tokio::task::spawn_blocking(move || term.end()).await?;
    if lost {
        if arguments.write_on_loss {
            writing.after_loss(&token, journal).await;
        }
        return Ok(());
    }
    journal.say_of(&token, Event::Resigning, &[]);
    let resigned = leadership.resign().await;
    journal.say_of(&token, Event::Resigned, &[("ok", if resigned.is_ok() { "true" } else { "false" })]);
    Ok(())
}
