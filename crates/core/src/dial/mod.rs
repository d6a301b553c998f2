//! Dialling by URL: the URL, the options in it, the backends, and the dialer that brings them together.

mod backend;
mod dialer;
mod option;
mod url;
mod value;

pub use backend::{Backend, DialFn, DialFuture};
pub use dialer::Dialer;
pub use option::{Opt, OptionKind, OptionSpec};
pub use url::DialUrl;
pub use value::OptionValue;

use crate::error::{CORE, Error, ErrorKind};

fn config(context: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, CORE, "dial", context)
}
