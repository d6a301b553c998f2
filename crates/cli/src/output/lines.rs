//! A thread that writes, so that a reader who has stopped reading holds up neither a renewal nor a deadline.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::Path,
    sync::Arc,
    thread,
};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{Notify, mpsc, oneshot};

/// How many lines may wait for a slow reader before those who print wait too.
const WAITING: usize = 64;

/// Why nothing can be printed any more.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The reader went away: an orderly stop, with nobody to tell.
    Pipe,
    /// Such as a full disk.
    Failed(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe { Self::Pipe } else { Self::Failed(error) }
    }
}

struct Line {
    text: String,
    written: oneshot::Sender<io::Result<()>>,
}

/// Writes lines one by one, each with one call.
#[derive(Debug)]
pub(crate) struct Lines {
    queue: mpsc::Sender<Line>,
    gone: Arc<Notify>,
}

impl Lines {
    pub(crate) fn stdout() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let watched = file.try_clone()?;
        let lines = Self::start(file)?;
        let gone = Arc::clone(&lines.gone);
        thread::Builder::new().name("reception-reader".to_owned()).spawn(move || {
            if reader_went_away(&watched) {
                gone.notify_one();
            }
        })?;
        Ok(lines)
    }

    /// Appends to the file, which only its owner can read when it is new: attributes may be private.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file =
            opened.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        Self::start(file)
    }

    fn start(mut file: File) -> io::Result<Self> {
        let (queue, mut lines) = mpsc::channel::<Line>(WAITING);
        thread::Builder::new().name("reception-writer".to_owned()).spawn(move || {
            while let Some(Line { text, written }) = lines.blocking_recv() {
                // Nobody waits for a line whose command has gone on; what failed shows at the next one.
                let _ = written.send(write_all(&mut file, text.as_bytes()));
            }
        })?;
        Ok(Self { queue, gone: Arc::new(Notify::new()) })
    }

    pub(crate) async fn write(&self, text: String) -> Result<(), Broken> {
        let (written, answer) = oneshot::channel();
        self.queue.send(Line { text, written }).await.map_err(|_| Broken::Pipe)?;
        answer.await.map_err(|_| Broken::Pipe)?.map_err(Broken::from)
    }

    pub(crate) async fn broken(&self) -> Broken {
        self.gone.notified().await;
        self.gone.notify_one();
        Broken::Pipe
    }
}

/// Writes all of it, and waits for a slow reader also where somebody who shares the pipe has made it non-blocking.
pub(crate) fn write_all(file: &mut File, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // However it ends, the next try tells.
                let _ = poll(&mut [PollFd::new(file, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until the other end of a pipe, socket or terminal is closed; false where that cannot happen or be seen.
fn reader_went_away(file: &File) -> bool {
    loop {
        let mut polled = [PollFd::new(file, PollFlags::empty())];
        match poll(&mut polled, None) {
            Ok(_) => {
                return polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::OwnedFd};

    use super::*;

    #[test]
    fn a_full_pipe_that_does_not_block_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut file = File::from(OwnedFd::from(writer));
        rustix::io::ioctl_fionbio(&file, true).unwrap();
        let mut filled = 0;
        while let Ok(written) = file.write(&[b'x'; 4096]) {
            filled += written;
        }
        // More than a pipe holds, so that a reader that is quick does not spare the wait.
        let line = "y".repeat(4 * filled) + "\n";
        let (begin, begun) = std::sync::mpsc::sync_channel(1);
        let reading = thread::spawn(move || {
            begun.recv().unwrap();
            let mut read = String::new();
            reader.read_to_string(&mut read).map(|_| read)
        });
        begin.send(()).unwrap();
        write_all(&mut file, line.as_bytes()).unwrap();
        drop(file);
        assert_eq!(reading.join().unwrap().unwrap(), "x".repeat(filled) + &line);
    }
}
