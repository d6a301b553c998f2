//! Watches services, and who leads.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::StreamExt as _;
use reception::{Change, Client, ClientExt as _, ElectionName, Error, Observation, ServiceName, Watcher};
use reception_lab::history::Event;

use crate::{Outcome, Stop, journal::Journal, stopped};

/// Writes down each view of a service.
pub(crate) async fn watch(
    client: Arc<dyn Client>,
    name: ServiceName,
    number: u32,
    journal: Journal,
    mut stop: Stop,
) -> Outcome<()> {
    let number = number.to_string();
    let of = [("watch", number.as_str()), ("service", name.as_ref())];
    journal.say(Event::Watching, &of);
    let mut watcher = client.watch(&name).await?;
    loop {
        let item = tokio::select! {
            biased;
            () = stopped(&mut stop) => return Ok(()),
            item = watcher.next() => item,
        };
        match item {
            Some(Ok(Change::Stale(error))) => {
                journal.say(Event::Stale, &[of[0], of[1], ("kind", &kind(&error))]);
            }
            Some(Ok(_)) => show(&*watcher, &journal, of),
            Some(Err(error)) => {
                journal.say(Event::Ended, &[of[0], of[1], ("kind", &kind(&error))]);
                return Ok(());
            }
            None => {
                journal.say(Event::Ended, &[of[0], of[1], ("kind", "none")]);
                return Ok(());
            }
        }
    }
}

fn show(watcher: &dyn Watcher, journal: &Journal, of: [(&str, &str); 2]) {
    let Some(view) = watcher.current() else { return };
    let ids: BTreeSet<&str> = view.iter().map(|service| service.id().as_ref()).collect();
    let (version, ids) = (view.revision().to_string(), ids.into_iter().collect::<Vec<_>>().join(","));
    journal.say(Event::Snapshot, &[of[0], of[1], ("version", &version), ("ids", &ids)]);
}

/// Notes who leads an election.
pub(crate) async fn observe(
    client: Arc<dyn Client>,
    election: ElectionName,
    journal: Journal,
    mut stop: Stop,
) -> Outcome<()> {
    let mut observations = client.elector(&election).await?.observe().await?;
    let of = ("watch", "leader");
    loop {
        let item = tokio::select! {
            biased;
            () = stopped(&mut stop) => return Ok(()),
            item = observations.next() => item,
        };
        match item {
            Some(Ok(Observation::Leader(leader))) => {
                let token = leader.token().to_string().parse()?;
                journal.say_of(&token, Event::Note, &[("observed", "leader")]);
            }
            Some(Ok(Observation::Vacant)) => journal.say(Event::Note, &[("observed", "vacant")]),
            Some(Ok(Observation::Stale(error))) => {
                journal.say(Event::Note, &[("observed", "stale"), ("kind", &kind(&error))]);
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                journal.say(Event::Ended, &[of, ("kind", &kind(&error))]);
                return Ok(());
            }
            None => {
                journal.say(Event::Ended, &[of, ("kind", "none")]);
                return Ok(());
            }
        }
    }
}

fn kind(error: &Error) -> String {
    format!("{:?}", error.kind())
}
