//! Logs on stderr: warnings unless told otherwise.

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::stderr::Log;

/// Starts logging. `RUST_LOG` wins over the count of `-v`; an empty variable is one that is not set.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let named = std::env::var_os(EnvFilter::DEFAULT_ENV).is_some_and(|named| !named.is_empty());
    let named = named.then(EnvFilter::try_from_default_env).and_then(Result::ok);
    let filter = named.unwrap_or_else(|| EnvFilter::default().add_directive(level.into()));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log).with_ansi(false).init();
}
