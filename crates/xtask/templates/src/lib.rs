//! Reception on __name__: not written yet, so that every call answers Unsupported.

mod client;
mod elect;
mod error;
mod layout;
mod options;
mod register;
mod session;
mod watch;

use reception_core::Backend;

pub use options::Options;

/// The backend, for a [`Dialer`](reception_core::Dialer).
pub const BACKEND: Backend =
    Backend::new(error::NAME, &["__name__"], "__name__://127.0.0.1:4000/prod?timeout=5s", options::OPTIONS, |url| {
        Box::pin(client::dial(url))
    });
