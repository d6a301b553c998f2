//! The token: given, or in a file that is read again when it changes.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper::header::HeaderValue;
use reception_core::{Clock, ErrorKind, Moment, Result};
use reception_kit::options::read_secret;

use crate::{
    error::{NAME, error},
    options::{Options, TOKEN_FILE},
};

/// How long a file's text is taken for granted.
const FRESH: Duration = Duration::from_secs(5);

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
            (Some(token), None) => Ok(Self::Given(value("the token", token.expose())?)),
            (None, Some(path)) => {
                let last = Mutex::new((Clock::BOOT.now(), read(path)?));
                Ok(Self::File { path: path.clone(), last })
            }
        }
    }

    /// The value of the header.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Given(value) => Some(value.clone()),
            Self::File { path, last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if Clock::BOOT.now().saturating_since(last.0) >= FRESH {
                    // A file that is being replaced: the last text stays good until the next look.
                    if let Ok(value) = read(path) {
                        last.1 = value;
                    }
                    last.0 = Clock::BOOT.now();
                }
                Some(last.1.clone())
            }
        }
    }
}

fn read(path: &Path) -> Result<HeaderValue> {
    let key = TOKEN_FILE.spec().key();
    let text = read_secret(NAME, key, path)?;
    value(&format!("option \"{key}\": {}: its text", path.display()), text.expose().trim())
}

fn value(name: &str, text: &str) -> Result<HeaderValue> {
    let made = HeaderValue::from_str(text).ok().filter(|made| !made.is_empty());
    let mut value = made.ok_or_else(|| error(ErrorKind::Config, "dial", format!("{name} is no token")))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_is_trimmed_and_what_is_no_token_is_told_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let read = |text: &[u8]| {
            std::fs::write(&file, text).unwrap();
            Token::new(&Options::new(["a"]).token_file(&file))
        };
        let token = read(b" canary \r\n").ok().unwrap();
        assert_eq!(token.header().unwrap(), "canary");
        for wrong in [&b"\n"[..], b" \n ", b"can\nary", b"canary\xff", &[b'c'; 5000]] {
            let error = read(wrong).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.context().contains("token_file") && !error.context().contains("canary"), "{error}");
        }
    }

    /// A file without an end would take all memory.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_an_end_is_refused() {
        let error = Token::new(&Options::new(["a"]).token_file("/dev/zero")).err().unwrap();
        assert!(error.context().contains("token_file"), "{error}");
    }
}
