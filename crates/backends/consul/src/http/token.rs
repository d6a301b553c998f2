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
/// For so long after the first refusal another token is likely to come soon; so long without one, and the next is a first one again.
const YOUNG: Duration = Duration::from_secs(60);

/// Where the token comes from.
pub(crate) enum Token {
    None,
    Given(HeaderValue),
    File { path: PathBuf, last: Mutex<Text> },
}

/// What a file said when it was last looked at.
pub(crate) struct Text {
    looked: Moment,
    value: HeaderValue,
    /// The last look gave no token.
    stale: bool,
    /// The agent refused it: it may be an old one.
    refused: bool,
    /// The first and the last refusal of this token.
    refusals: Option<(Moment, Moment)>,
    /// Grows when another token is found.
    turn: u64,
}

impl Token {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        match (&options.token, &options.token_file) {
            (None, None) => Ok(Self::None),
            (Some(_), Some(_)) => Err(error(ErrorKind::Config, "dial", "the token is given twice")),
            (Some(token), None) => Ok(Self::Given(value("the token", token.expose())?)),
            (None, Some(path)) => {
                let last = Text::new(read(path)?, Clock::BOOT.now());
                Ok(Self::File { path: path.clone(), last: Mutex::new(last) })
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
                last.look(path, Clock::BOOT.now());
                Some(last.value.clone())
            }
        }
    }

    /// Grows when the token is another one.
    pub(crate) fn turn(&self) -> u64 {
        match self {
            Self::None | Self::Given(_) => 0,
            Self::File { path, last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                last.look(path, Clock::BOOT.now());
                last.turn
            }
        }
    }

    /// The agent did not take it: the next request looks whether there is another one by now. Whether that is likely to be soon.
    pub(crate) fn refused(&self) -> bool {
        match self {
            Self::None | Self::Given(_) => false,
            Self::File { last, .. } => {
                last.lock().unwrap_or_else(PoisonError::into_inner).refuse(Clock::BOOT.now())
            }
        }
    }
}

impl Text {
    fn new(value: HeaderValue, looked: Moment) -> Self {
        Self { looked, value, stale: false, refused: false, refusals: None, turn: 0 }
    }

    /// Whether the refusals are young.
    fn refuse(&mut self, now: Moment) -> bool {
        self.refused = true;
        let begun = self.refusals.filter(|(_, last)| now.saturating_since(*last) < YOUNG);
        let first = begun.map_or(now, |(first, _)| first);
        self.refusals = Some((first, now));
        now.saturating_since(first) < YOUNG
    }

    /// A file that is being replaced may be missing or empty for a moment: the last token stays good until a look finds another, and the first look in vain is told.
    fn look(&mut self, path: &Path, now: Moment) {
        if now.saturating_since(self.looked) < FRESH && !std::mem::take(&mut self.refused) {
            return;
        }
        self.looked = now;
        match read(path) {
            Ok(value) => {
                if value != self.value {
                    self.turn += 1;
                    self.refusals = None;
                }
                (self.value, self.stale) = (value, false);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.stale, true) {
                    tracing::warn!(backend = NAME, %error, "the last token is used until the file tells one again");
                }
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

    #[test]
    fn a_file_that_goes_leaves_its_last_token_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "first").unwrap();
        let mut now = Clock::BOOT.now();
        let mut text = Text::new(read(&file).unwrap(), now);
        let mut after = |text: &mut Text, pause: Duration| {
            now = now.saturating_add(pause);
            text.look(&file, now);
            (text.value.to_str().unwrap().to_owned(), text.stale, text.turn)
        };
        std::fs::remove_file(&file).unwrap();
        assert_eq!(after(&mut text, FRESH / 2), ("first".into(), false, 0), "it was looked at too early");
        assert_eq!(after(&mut text, FRESH), ("first".into(), true, 0));
        std::fs::write(&file, "second").unwrap();
        assert_eq!(after(&mut text, FRESH), ("second".into(), false, 1));
        std::fs::write(&file, "third").unwrap();
        assert_eq!(after(&mut text, Duration::ZERO).0, "second", "it was looked at too early");
        text.refused = true;
        assert_eq!(after(&mut text, Duration::ZERO), ("third".into(), false, 2));
    }

    /// A right that is lost for good is not asked for every other second for ever.
    #[test]
    fn refusals_are_young_for_a_minute_and_again_after_one_without_any() {
        let begun = Clock::BOOT.now();
        let mut text = Text::new(HeaderValue::from_static("first"), begun);
        let mut refuse = |seconds| text.refuse(begun.saturating_add(Duration::from_secs(seconds)));
        assert!(refuse(0) && refuse(2) && refuse(59));
        assert!(!refuse(61) && !refuse(100) && !refuse(130));
        assert!(refuse(200), "nobody was refused for more than a minute");
    }

    /// A file without an end would take all memory.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_an_end_is_refused() {
        let error = Token::new(&Options::new(["a"]).token_file("/dev/zero")).err().unwrap();
        assert!(error.context().contains("token_file"), "{error}");
    }
}
