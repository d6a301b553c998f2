//! Appends lines to a file that others append to as well.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
    sync::Arc,
};

use super::{Details, Event, Line, Token};
use crate::{Error, Result};

/// Appends lines to one file: each in a single write at its end, so that processes and threads share it.
///
/// Clones write to the same file.
///
/// ```
/// # fn run(path: &std::path::Path) -> reception_lab::Result<()> {
/// use reception_lab::history::{Details, Event, Recorder};
///
/// let recorder = Recorder::open(path)?;
/// recorder.record(Event::Registered, None, Details::new().with("id", "a1"))?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    path: PathBuf,
}

impl Recorder {
    /// Opens the file, made if need be.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be opened.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(Error::io(format!("open {}", path.display())))?;
        Ok(Self(Arc::new(Inner { file, path })))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Records what happened to this process now.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn record(&self, event: Event, token: Option<Token>, details: Details) -> Result<()> {
        self.record_at(boot_ns(), event, token, details)
    }

    /// Records what happened to this process at a time taken before with [`boot_ns`].
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn record_at(&self, ns: u64, event: Event, token: Option<Token>, details: Details) -> Result<()> {
        self.write(&Line::new(ns, process::id(), event, token, details))
    }

    /// Records what happened to another process now.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn record_for(&self, pid: u32, event: Event, token: Option<Token>, details: Details) -> Result<()> {
        self.write(&Line::new(boot_ns(), pid, event, token, details))
    }

    /// Appends a line.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it could not be written whole.
    pub fn write(&self, line: &Line) -> Result<()> {
        let text = format!("{line}\n");
        let failed = || Error::io(format!("append to {}", self.0.path.display()));
        // Not `write_all`: a second write could land behind another process's line.
        let written = (&self.0.file).write(text.as_bytes()).map_err(failed())?;
        if written == text.len() { Ok(()) } else { Err(failed()(io::ErrorKind::WriteZero.into())) }
    }
}

/// The nanoseconds since boot, time asleep included: one clock for all processes of the machine.
#[must_use]
pub fn boot_ns() -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let id = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(id);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}
