//! `reception register`: a thin user of the health gate, with a child beside it.
//!
//! ```text
//! dial ──► staying ── signal, child's end, no reader ──► withdraw ──► drain ──► stop the child ──► close
//!             └────── another owner has the id ─────────────────────────────────────▲
//! ```

mod end;
mod stay;
mod told;
mod wish;

use std::{sync::Arc, time::Duration};

use reception::{Client, health};

use self::{end::End, stay::Stay, wish::Guard};
use crate::{
    args::{Global, Register},
    commands::closed,
    exit::Outcome,
    output::Output,
    signals::Signals,
};

/// What a store that did not confirm the withdrawal within its time is given for the rest.
const GRACE: Duration = Duration::from_secs(1);

pub(super) async fn carry_out(global: &Global, register: Register) -> Outcome {
    let service = wish::service(&register)?;
    let guard = Guard::of(&register)?;
    // From here on a signal is an orderly stop.
    let signals = Signals::listen()?;
    let client = reception::dial(global.url()).await?;
    // Not before it is known that nothing is wrong with what was asked for.
    let output = match Output::open(global, register.child.events.as_deref()) {
        Ok(output) => output,
        Err(error) => return closed(client, Err(error.into())).await,
    };
    let asks = guard.asks;
    let gate = match health::gate(Arc::clone(&client), service, guard.check, guard.options) {
        Ok(gate) => gate,
        Err(error) => return closed(client, Err(error.into())).await,
    };
    let mut stay = Stay::new(gate, asks, &register, &output, signals);
    let stop = stay.stay().await;
    let end = stay.end(stop).await;
    part(client, end).await
}

/// Closes the client. What the store did not confirm it has been asked for as long as it may be.
async fn part(client: Arc<dyn Client>, end: End) -> Outcome {
    let confirmed = end.confirmed;
    let outcome = end.outcome();
    if confirmed {
        return closed(client, outcome).await;
    }
    // The failure has been told.
    let _ = tokio::time::timeout(GRACE, client.close()).await;
    outcome
}
