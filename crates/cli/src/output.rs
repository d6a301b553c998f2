//! What the command prints: events as JSON or as text, each written whole at once.

mod ink;
mod lines;
mod shapes;
mod teller;

use std::{io, path::Path, time::Duration};

use serde::Serialize;

use crate::args::{Format, Global};

use self::lines::Lines;
pub(crate) use self::{
    ink::{Ink, one_line, printable},
    lines::{Broken, write_all},
    shapes::{Instance, LeaderShape, Token, text_of},
    teller::Teller,
};

/// How long the last lines wait for a reader that is slow.
pub(crate) const LAST_LINES: Duration = Duration::from_secs(1);

/// Something that happened, in both forms.
pub(crate) trait Say: Serialize + Sync {
    /// For people; may be several lines, or none, and ends without a line break.
    fn text(&self, ink: Ink) -> String;
}

/// Where the command prints to, and how.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    ink: Ink,
    lines: Lines,
}

impl Output {
    /// Prints to `events`, else to stdout.
    pub(crate) fn open(global: &Global, events: Option<&Path>) -> io::Result<Self> {
        let (lines, ink) = match events {
            Some(path) => (Lines::file(path)?, Ink::PLAIN),
            None => (Lines::stdout()?, Ink::of_stdout()),
        };
        Ok(Self { format: global.output, ink, lines })
    }

    /// Prints and waits until it is written. Dropped before that, the line is written all the same.
    pub(crate) async fn say(&self, what: &impl Say) -> Result<(), Broken> {
        let mut text = match self.format {
            Format::Json => serde_json::to_string(what).map_err(|error| Broken::Failed(error.into()))?,
            Format::Text => what.text(self.ink),
        };
        if text.is_empty() {
            return Ok(());
        }
        text.push('\n');
        self.lines.write(text).await
    }

    /// Resolves once nobody can read what we print any more; never for a file.
    pub(crate) async fn broken(&self) -> Broken {
        self.lines.broken().await
    }
}
