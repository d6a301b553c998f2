//! Reads a history, whole or as it grows.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::Line;
use crate::{Error, Result};

/// Reads a whole history.
///
/// A last line without its end is left out: its writer was killed, or still writes.
///
/// # Errors
///
/// [`Error::History`] at the first line that is none, [`Error::Io`] when the file cannot be read.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Line>> {
    Reader::open(path.as_ref())?.more()
}

/// Reads a history while others write it.
#[derive(Debug)]
pub struct Reader {
    file: File,
    path: PathBuf,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    number: usize,
}

impl Reader {
    /// Starts at the first line.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be opened.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = File::open(&path).map_err(Error::io(format!("open {}", path.display())))?;
        Ok(Self { file, path, rest: Vec::new(), number: 0 })
    }

    /// The lines written since the last call; empty when there are none yet.
    ///
    /// # Errors
    ///
    /// As [`read`].
    pub fn more(&mut self) -> Result<Vec<Line>> {
        let read = self.file.read_to_end(&mut self.rest);
        read.map_err(Error::io(format!("read {}", self.path.display())))?;
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        let mut lines = Vec::new();
        for text in String::from_utf8_lossy(&whole).lines() {
            self.number += 1;
            if !text.trim().is_empty() {
                lines.push(self.line(text)?);
            }
        }
        Ok(lines)
    }

    fn line(&self, text: &str) -> Result<Line> {
        text.parse().map_err(|source| Error::History { path: self.path.clone(), number: self.number, source })
    }
}
