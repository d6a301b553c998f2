//! Counts how often somebody enters a gate: the system tells of each handle that is closed.

use std::{io, mem::MaybeUninit, os::fd::OwnedFd, path::PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

pub(super) struct Gates {
    ear: OwnedFd,
    passed: u64,
}

impl Gates {
    /// Counts from now on, at the gates of these rooms.
    pub(super) fn watch(rooms: &[PathBuf]) -> io::Result<Self> {
        let ear = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        for room in rooms {
            inotify::add_watch(&ear, room, WatchFlags::CLOSE_WRITE)?;
        }
        Ok(Self { ear, passed: 0 })
    }

    /// How many so far.
    pub(super) fn passed(&mut self) -> io::Result<u64> {
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.ear, &mut room);
        loop {
            match reader.next() {
                Ok(event) => {
                    let gate = event.file_name().is_some_and(|name| name.to_bytes() == b"gate");
                    self.passed += u64::from(gate && event.events().contains(ReadFlags::CLOSE_WRITE));
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(self.passed),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
