//! What goes to stderr: a thread writes it, so that a reader who has stopped reading holds up neither a renewal nor a child's deadline.

use std::{
    fs::File,
    io::{self, Write},
    mem,
    os::fd::AsFd,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::output::{LAST_LINES, write_all};

/// How much may wait for a slow reader; what the log says beyond that is lost.
const ROOM: usize = 256 << 10;

static STDERR: Queue = Queue::new();

/// Says a line, which is on its way then.
pub(crate) fn say(line: &str) {
    STDERR.start();
    STDERR.add(line.as_bytes(), usize::MAX);
}

/// Waits until what was said and logged has been written, but not for long.
pub(crate) fn finish() {
    STDERR.finish(LAST_LINES);
}

/// Takes the lines of the log.
#[derive(Debug)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        STDERR.start();
        STDERR.add(line, ROOM);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Waiting {
    text: Vec<u8>,
    writing: bool,
    started: bool,
}

/// Text on its way to one file.
#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    const fn new() -> Self {
        let waiting = Waiting { text: Vec::new(), writing: false, started: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread that writes, at the first call.
    fn start(&'static self) {
        if mem::replace(&mut self.lock().started, true) {
            return;
        }
        if let Ok(file) = io::stderr().as_fd().try_clone_to_owned() {
            // Without a thread nothing can be said, and nobody be told so.
            let _ = thread::Builder::new()
                .name("reception-stderr".to_owned())
                .spawn(move || self.write_to(&mut File::from(file)));
        }
    }

    /// Adds a line unless more than `room` would wait then.
    fn add(&self, line: &[u8], room: usize) {
        let mut waiting = self.lock();
        if line.len() <= room.saturating_sub(waiting.text.len()) {
            waiting.text.extend_from_slice(line);
            self.changed.notify_all();
        }
    }

    fn write_to(&self, file: &mut File) {
        loop {
            let idle = self.changed.wait_while(self.lock(), |waiting| waiting.text.is_empty());
            let mut waiting = idle.unwrap_or_else(PoisonError::into_inner);
            let text = mem::take(&mut waiting.text);
            waiting.writing = true;
            drop(waiting);
            // There is nowhere to tell that this failed.
            let _ = write_all(file, &text);
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits until nothing waits any more; false when it took longer than this.
    fn finish(&self, limit: Duration) -> bool {
        let unwritten = |waiting: &mut Waiting| waiting.writing || !waiting.text.is_empty();
        let ended = self.changed.wait_timeout_while(self.lock(), limit, unwritten);
        !ended.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{PipeReader, Read, pipe},
        os::fd::OwnedFd,
    };

    use super::*;

    /// A queue that writes to a pipe, as it does to stderr.
    fn piped() -> (&'static Queue, PipeReader) {
        let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
        let (reader, writer) = pipe().unwrap();
        thread::spawn(move || queue.write_to(&mut File::from(OwnedFd::from(writer))));
        (queue, reader)
    }

    #[test]
    fn lines_are_written_in_order_before_the_end() {
        let (queue, mut reader) = piped();
        for line in ["a\n", "b\n", "c\n"] {
            queue.add(line.as_bytes(), ROOM);
        }
        assert!(queue.finish(Duration::from_secs(30)));
        let mut read = [0; 6];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"a\nb\nc\n");
    }

    #[test]
    fn a_reader_that_has_stopped_holds_nobody_up() {
        let (queue, mut reader) = piped();
        let line = vec![b'x'; 1 << 10];
        for _ in 0..10_000 {
            queue.add(&line, ROOM);
        }
        assert!(!queue.finish(Duration::from_millis(1)), "more than a pipe holds was taken");
        assert!(queue.lock().text.len() <= ROOM);
        queue.add(b"error: \n", usize::MAX);
        let ended = thread::spawn(|| queue.finish(Duration::from_secs(30)));
        let mut read = Vec::new();
        while !read.ends_with(b"error: \n") {
            let mut some = [0; 4096];
            let count = reader.read(&mut some).unwrap();
            read.extend_from_slice(&some[..count]);
        }
        assert!(ended.join().unwrap());
    }
}
