//! Files as claims: a record is alive as long as its owner holds the lock on it.
//!
//! The rules, which make every step safe against every other process that keeps to them:
//!
//! - A record is locked exclusively by its owner before it gets its name, and by nobody else ever; who wants to know whether it is alive tries a
//!   shared lock, which two that ask do not deny each other.
//! - What a name stands for is changed only by who holds the gate of the room, for that instant, and after another look.
//! - A lock counts only while the path still leads to the file that is locked.
//!
//! All of it blocks, and belongs on threads where that is allowed.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use reception_core::limits::MAX_RECORD;
use rustix::fs::OFlags;

use crate::layout::{self, Room};

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Which state of a file it is, as far as a look from outside tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) identity: Identity,
    size: u64,
    changed: (i64, i64),
}

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The record of a living owner; without its bytes when they are those of the stamp that the caller knew.
    Live(Stamp, Option<Vec<u8>>),
    /// Nobody holds it.
    Dead(Identity, Vec<u8>),
    /// No file that could be a record.
    Odd,
    Gone,
}

/// What came of an attempt to put a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Done,
    /// Somebody else holds the gate at this instant.
    Busy,
    /// Another owner is alive.
    Taken,
}

/// A record that this process holds.
#[derive(Debug)]
pub(crate) struct Owned {
    record: File,
    identity: Identity,
    sign: Option<File>,
}

impl Identity {
    fn of(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }

    /// What the path leads to; none when it is not there.
    pub(crate) fn at(path: &Path) -> io::Result<Option<Self>> {
        match path.symlink_metadata() {
            Ok(found) => Ok(Some(Self::of(&found))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self::of(&found))
    }
}

/// Looks at a record. Bytes are read anew unless its stamp is the one that is known.
pub(crate) fn look(room: &Room, id: &str, known: Option<Stamp>) -> io::Result<Seen> {
    let seen = look_at(&room.record(id), known)?;
    room.spent().on(match &seen {
        Seen::Live(_, Some(bytes)) | Seen::Dead(_, bytes) => bytes.len(),
        _ => 0,
    });
    Ok(seen)
}

/// An owner that changes its record puts another file in its place and lets the old one go: one that looks free is dead only while the path still
/// leads to it.
fn look_at(path: &Path, known: Option<Stamp>) -> io::Result<Seen> {
    loop {
        match look_once(path, known)? {
            Seen::Dead(identity, _) if Identity::at(path)? != Some(identity) => {}
            seen => return Ok(seen),
        }
    }
}

fn look_once(path: &Path, known: Option<Stamp>) -> io::Result<Seen> {
    let file = match careful().read(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Seen::Gone),
        Err(error) if is_odd(&error) => return Ok(Seen::Odd),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Ok(Seen::Odd);
    }
    let identity = Identity::of(&found);
    let stamp = Stamp { identity, size: found.len(), changed: (found.mtime(), found.mtime_nsec()) };
    match file.try_lock_shared() {
        Ok(()) => Ok(Seen::Dead(identity, read(&file)?)),
        Err(TryLockError::WouldBlock) if known == Some(stamp) => Ok(Seen::Live(stamp, None)),
        Err(TryLockError::WouldBlock) => Ok(Seen::Live(stamp, Some(read(&file)?))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// One byte more than a record may have, so that a longer one is known for what it is.
fn read(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_RECORD as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a folder is none of ours, and not that the system cannot read it now.
pub(crate) fn is_foreign(error: &io::Error) -> bool {
    is_odd(error) || matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory)
}

/// Whether what stands there is no file of ours, and not that the system cannot open it now.
fn is_odd(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let odd = [Errno::LOOP, Errno::NXIO, Errno::ACCESS, Errno::PERM, Errno::NODEV, Errno::NOTDIR];
    odd.iter().any(|one| error.raw_os_error() == Some(one.raw_os_error()))
}

/// A pipe that somebody put in the place of a file must not make us wait, nor a link lead us elsewhere.
fn careful() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK.union(OFlags::NOFOLLOW).bits();
    options.mode(0o600).custom_flags(flags.cast_signed());
    options
}

/// Opens a file of ours that is no record; what else stands there is refused.
fn open_ours(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let not_ours = || {
        let name = path.file_name().unwrap_or_default().display().to_string();
        io::Error::new(io::ErrorKind::InvalidData, format!("what stands at `{name}` is no file of ours"))
    };
    match options.open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied || !is_odd(&error) => Err(error),
        _ => Err(not_ours()),
    }
}

/// Opens a file of ours to be read.
pub(crate) fn open_read(path: &Path) -> io::Result<File> {
    open_ours(path, careful().read(true))
}

/// The ids of a folder of records, or signs; none when there is no such folder.
pub(crate) fn ids(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        ids.extend(layout::id(&entry?.file_name()).map(str::to_owned));
    }
    Ok(ids)
}

/// The gate of a room, held for an instant.
#[derive(Debug)]
pub(crate) struct Gate(File);

impl Gate {
    /// None while somebody else holds it.
    pub(crate) fn enter(room: &Room) -> io::Result<Option<Self>> {
        let path = room.gate();
        let gate = open_lock(&path)?;
        if !lock(&gate)? {
            return Ok(None);
        }
        let same = Identity::at(&path)? == Some(Identity::of_file(&gate)?);
        let gate = Self(gate);
        Ok(same.then_some(gate))
    }
}

impl Drop for Gate {
    /// Said aloud: a child that was forked meanwhile has the handle too, and closing ours alone would leave the lock to it.
    fn drop(&mut self) {
        drop(self.0.unlock());
    }
}

/// Opens a file that is there to be locked, and makes it when it is missing.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    open_ours(path, careful().read(true).write(true).create(true).truncate(false))
}

/// Takes the lock; false when somebody else has it.
pub(crate) fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Puts a record under `id`, in place of our own one or of a dead one, of a living one only to `replace` it. `bytes` gets what stands there when
/// that is ours.
pub(crate) fn put(
    room: &Room,
    id: &str,
    owned: &mut Option<Owned>,
    replace: bool,
    bytes: impl FnOnce(Option<&[u8]>) -> Vec<u8>,
) -> io::Result<Put> {
    let Some(gate) = Gate::enter(room)? else { return Ok(Put::Busy) };
    let path = room.record(id);
    let own = owned.as_ref().map(|owned| owned.identity);
    let previous = match look(room, id, None)? {
        Seen::Live(stamp, before) if own == Some(stamp.identity) => before,
        Seen::Live(..) if !replace => {
            *owned = None;
            return Ok(Put::Taken);
        }
        // A folder or a pipe is not ours to put away.
        Seen::Odd => return Err(io::Error::new(io::ErrorKind::InvalidData, "no file of ours stands there")),
        _ => None,
    };
    let bytes = bytes(previous.as_deref());
    if previous.is_none_or(|previous| previous != bytes) {
        let (record, identity) = draft(room, &path, &bytes)?;
        // The sign outlives its record, so that it is opened after it, and closed after it when the process dies.
        let sign = owned.take().and_then(|owned| owned.sign);
        *owned = Some(Owned { record, identity, sign });
    }
    if let Some(owned) = owned {
        owned.give_sign(&room.sign(id))?;
    }
    drop(gate);
    Ok(Put::Done)
}

/// Writes a record that nobody sees before it is whole and locked.
fn draft(room: &Room, path: &Path, bytes: &[u8]) -> io::Result<(File, Identity)> {
    let draft = room.record(&layout::draft());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let named = (|| {
        if !lock(&file)? {
            return Err(io::Error::other("a new file is locked by somebody else"));
        }
        file.write_all(bytes)?;
        room.spent().on(bytes.len());
        fs::rename(&draft, path)?;
        Identity::of_file(&file)
    })();
    match named {
        Ok(identity) => Ok((file, identity)),
        Err(error) => {
            drop(fs::remove_file(&draft));
            Err(error)
        }
    }
}

impl Owned {
    /// What the name of our record stands for now.
    pub(crate) fn stands(&self, path: &Path) -> io::Result<bool> {
        Ok(Identity::at(path)? == Some(self.identity))
    }

    /// Tells who watches the folder of signs that the record has changed.
    pub(crate) fn give_sign(&mut self, path: &Path) -> io::Result<()> {
        let stale = match &self.sign {
            Some(sign) => Identity::at(path)? != Some(Identity::of_file(sign)?),
            None => true,
        };
        if stale {
            self.sign = Some(open_ours(path, careful().write(true).create(true).truncate(false))?);
        }
        self.sign.as_ref().map_or(Ok(()), |sign| sign.write_all_at(b".", 0))
    }

    /// Gives the record up: from here on nobody takes it for alive. Said aloud, since a forked child has the handle too.
    pub(crate) fn let_go(&self) {
        drop(self.record.unlock());
    }

    /// Takes away the files of a record that was given up; false while the gate is held by somebody else.
    pub(crate) fn tidy(&self, room: &Room, id: &str) -> io::Result<bool> {
        let Some(gate) = Gate::enter(room)? else { return Ok(false) };
        let path = room.record(id);
        if self.stands(&path)? {
            fs::remove_file(&path)?;
        }
        // Whoever has the name by now has the sign too.
        if Identity::at(&path)?.is_none() {
            remove(&room.sign(id))?;
        }
        drop(gate);
        Ok(true)
    }
}

/// Removes a file unless it is gone already.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Takes away what dead processes left: records that nobody holds and that are ours by `is_ours`, drafts, and signs without a record. When the
/// gate is held by somebody else another reader does it.
pub(crate) fn sweep(room: &Room, is_ours: impl Fn(&str, &[u8]) -> bool) -> io::Result<()> {
    let Some(gate) = Gate::enter(room)? else { return Ok(()) };
    for entry in fs::read_dir(room.records())? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let ours = |bytes: &[u8]| match layout::id(name.as_ref()) {
            Some(id) => is_ours(id, bytes),
            None => name.len() == 33,
        };
        remove_dead(room, name, ours)?;
    }
    for id in ids(&room.signs())? {
        if Identity::at(&room.record(&id))?.is_none() {
            fs::remove_file(room.sign(&id))?;
        }
    }
    drop(gate);
    Ok(())
}

/// As [`sweep`], for these ids alone: the death of one must not cost a look at all.
pub(crate) fn clear(room: &Room, ids: &[String], is_ours: impl Fn(&str, &[u8]) -> bool) -> io::Result<()> {
    let Some(gate) = Gate::enter(room)? else { return Ok(()) };
    for id in ids {
        remove_dead(room, id, |bytes| is_ours(id, bytes))?;
        if Identity::at(&room.record(id))?.is_none() {
            remove(&room.sign(id))?;
        }
    }
    drop(gate);
    Ok(())
}

/// Removes a record that nobody holds and that is ours. Whoever calls holds the gate.
fn remove_dead(room: &Room, name: &str, is_ours: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    match look(room, name, None)? {
        Seen::Dead(_, bytes) if is_ours(&bytes) => fs::remove_file(room.record(name)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
