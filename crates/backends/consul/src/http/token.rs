//! The token: given, or in a file that is read again when it changes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper::header::HeaderValue;
use reception_core::{Clock, ErrorKind, Moment, Result, Secret};

use crate::{error::error, options::Options};

/// How long a file's text is taken for granted.
const FRESH: Duration = Duration::from_secs(5);
const MOST: u64 = 4096;

/// Where the token comes from.
pub(crate) enum Token {
    None,
    Given(HeaderValue),
    File { path: PathBuf, last: Mutex<(Moment, HeaderValue)> },
}

impl Token {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        match (&options.token, &options.token_file) {
            (None, None) => Ok(Self::None),
            (Some(_), Some(_)) => Err(error(ErrorKind::Config, "dial", "the token is given twice")),
            (Some(token), None) => Ok(Self::Given(value("dial", "the token", token.expose())?)),
            (None, Some(path)) => {
                let last = Mutex::new((Clock::BOOT.now(), read("dial", path)?));
                Ok(Self::File { path: path.clone(), last })
            }
        }
    }

    /// The value of the header.
    pub(crate) fn header(&self, operation: &'static str) -> Result<Option<HeaderValue>> {
        match self {
            Self::None => Ok(None),
            Self::Given(value) => Ok(Some(value.clone())),
            Self::File { path, last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if Clock::BOOT.now().saturating_since(last.0) >= FRESH {
                    // A file that is being replaced: the last text stays good until the next look.
                    if let Ok(value) = read(operation, path) {
                        last.1 = value;
                    }
                    last.0 = Clock::BOOT.now();
                }
                Ok(Some(last.1.clone()))
            }
        }
    }
}

fn read(operation: &'static str, path: &Path) -> Result<HeaderValue> {
    let name = format!("option \"token_file\": {}", path.display());
    let wrong = |what: &str| error(ErrorKind::Config, operation, format!("{name}: {what}"));
    let about = fs::metadata(path).map_err(|failed| wrong(&failed.kind().to_string()))?;
    if about.len() > MOST {
        return Err(wrong(&format!("has over {MOST} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|failed| wrong(&failed.kind().to_string()))?;
    let text = Secret::new(text.trim());
    if text.expose().is_empty() {
        return Err(wrong("is empty"));
    }
    value(operation, &name, text.expose())
}

fn value(operation: &'static str, name: &str, text: &str) -> Result<HeaderValue> {
    let made = HeaderValue::from_str(text);
    let mut value = made.map_err(|_| error(ErrorKind::Config, operation, format!("{name} is no token")))?;
    value.set_sensitive(true);
    Ok(value)
}
