//! What options of several backends have in common: who logs in, TLS, hosts and bounds.
//!
//! The options of a backend hold a [`Login`] and a [`Tls`]; their own setters and tables of options stay theirs.

mod hosts;
mod login;
mod tls;

use reception_core::{Error, ErrorKind};

pub use hosts::{check_hosts, check_span, with_port};
pub use login::{Login, PASSWORD_FILE, USER, read_secret};
pub use tls::{CA, CERT, KEY, Tls};

fn config(backend: &'static str, context: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, backend, "dial", context)
}
