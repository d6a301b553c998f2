//! The backend itself: what a crate outside this repository would hold.
//!
//! It keeps everything on a shelf of this process. The rooms are those of every backend here: `store` stands in for the server,
//! `client` is the wiring, and `register`, `watch` and `elect` hold one promise each. It needs nothing of Reception but
//! `reception-core`.

mod client;
mod elect;
mod register;
mod store;
mod watch;

use std::time::Duration;

use reception_core::{Backend, DialUrl, Error, ErrorKind, Opt, OptionSpec};

pub(crate) use client::ShelfClient;
pub(crate) use store::Shelf;

/// An option is declared once: the URL parser, the error texts and the help all read this constant.
const PATIENCE: Opt<Duration> =
    Opt::new("patience", "how long `register` waits for an id that another owner holds").default("1s");

const OPTIONS: &[OptionSpec] = &[PATIENCE.spec()];

/// All that a program needs: `Dialer::new().with(BACKEND)?`.
pub(crate) const BACKEND: Backend =
    Backend::new("shelf", &["shelf"], "shelf://demo?patience=1s", OPTIONS, |url| Box::pin(dial(url)));

async fn dial(url: DialUrl) -> reception_core::Result<std::sync::Arc<dyn reception_core::Client>> {
    let [shelf] = url.hosts() else {
        return Err(error(ErrorKind::Config, "dial", "name one shelf: shelf://NAME"));
    };
    let patience = url.get(&PATIENCE)?.unwrap_or_default();
    Ok(std::sync::Arc::new(ShelfClient::new(Shelf::named(shelf), patience)?))
}

/// The only place that makes errors: backend and operation are never forgotten.
fn error(kind: ErrorKind, operation: &'static str, context: &str) -> Error {
    Error::new(kind, "shelf", operation, context)
}

fn closed(operation: &'static str) -> Error {
    error(ErrorKind::Closed, operation, "the client is closed")
}
