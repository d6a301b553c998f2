//! Registers one instance and follows how it stands.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use reception::{Client, ClientExt as _, Registration, RegistrationState, Service, ServiceName};
use reception_lab::history::Event;
use tokio::time::sleep;

use crate::{Outcome, Stop, journal::Journal, stopped};

/// The pause after a registration that failed.
const AGAIN: Duration = Duration::from_millis(100);

pub(crate) async fn serve(
    client: Arc<dyn Client>,
    name: ServiceName,
    id: String,
    journal: Journal,
    mut stop: Stop,
) -> Outcome<()> {
    let service = Service::builder(name.as_ref(), "127.0.0.1", 1).id(&id).build()?;
    let of = [("id", id.as_str()), ("service", name.as_ref())];
    let registered = tokio::select! {
        biased;
        () = stopped(&mut stop) => return Ok(()),
        registered = register(&*client, &service, &journal, &of) => registered,
    };
    journal.say(Event::Registered, &of);
    let ended = tokio::select! {
        biased;
        () = stopped(&mut stop) => false,
        () = follow(&registered, &journal, &of) => true,
    };
    if !ended {
        journal.say(Event::Withdrawing, &of);
        let ok = if registered.close().await.is_ok() { "true" } else { "false" };
        journal.say(Event::Withdrawn, &[of[0], of[1], ("ok", ok)]);
    }
    Ok(())
}

async fn register(
    client: &dyn Client,
    service: &Service,
    journal: &Journal,
    of: &[(&str, &str); 2],
) -> Registration {
    loop {
        match client.register(service.clone()).await {
            Ok(registration) => return registration,
            Err(error) => {
                journal.say(Event::Note, &[of[0], of[1], ("register", &format!("{:?}", error.kind()))]);
            }
        }
        sleep(AGAIN).await;
    }
}

/// Writes down each state until it has ended.
async fn follow(registration: &Registration, journal: &Journal, of: &[(&str, &str); 2]) {
    let mut changes = registration.changes();
    while let Some(state) = changes.next().await {
        let word = match &state {
            RegistrationState::Active => "active",
            RegistrationState::Doubtful(_) => "doubtful",
            RegistrationState::Ended(_) => "ended",
            _ => "unknown",
        };
        journal.say(Event::State, &[of[0], of[1], ("state", word)]);
    }
}
