//! The folders of one run, and their end, also of runs that were killed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use crate::{Result, run::now};

/// Processes that were just killed may hold their files for a moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where sockets lie: the path of one may have at most 107 bytes.
const SOCKETS: &str = "/run";

/// The folders of one run; a lock tells that it is alive.
pub(crate) struct Room {
    _lock: File,
    shelf: PathBuf,
    name: String,
}

impl Room {
    /// Makes the folder of this run and removes those of runs that are no more.
    pub(crate) fn make(target: &Path) -> Result<Self> {
        let shelf = target.join("xtask/containers");
        fs::create_dir_all(&shelf).map_err(|e| format!("{}: {e}", shelf.display()))?;
        sweep(&shelf);
        let name = format!("reception-{}", process::id());
        let path = lock_path(&shelf, &name);
        let lock = File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        lock.try_lock().map_err(|e| format!("{}: {e}", path.display()))?;
        let room = Self { _lock: lock, shelf, name };
        fs::create_dir_all(room.folder()).map_err(|e| format!("{}: {e}", room.folder().display()))?;
        Ok(room)
    }

    /// What this run is called: no other that is alive has this name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What ends with the run.
    pub(crate) fn folder(&self) -> PathBuf {
        self.shelf.join(&self.name)
    }

    /// What the run's commands said.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder().join("log")
    }

    /// What a later run may use again.
    pub(crate) fn cache(&self) -> PathBuf {
        self.shelf.join("cache")
    }

    /// The folder of the run's sockets, which only root can make.
    pub(crate) fn sockets(&self) -> PathBuf {
        Path::new(SOCKETS).join(&self.name)
    }

    /// Removes what ends with the run.
    pub(crate) fn leave(&self) -> Result<()> {
        leave(&self.shelf, &self.name)
    }
}

fn lock_path(shelf: &Path, name: &str) -> PathBuf {
    shelf.join(format!("{name}.lock"))
}

fn leave(shelf: &Path, name: &str) -> Result<()> {
    for folder in [shelf.join(name), Path::new(SOCKETS).join(name)] {
        remove(&folder).map_err(|e| format!("{} is left behind: {e}", folder.display()))?;
    }
    drop(fs::remove_file(lock_path(shelf, name)));
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    let started = now();
    loop {
        match fs::remove_dir_all(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) if started.elapsed() > PATIENCE => return Err(e),
            Err(_) => thread::sleep(Duration::from_millis(50)),
            Ok(()) => return Ok(()),
        }
    }
}

/// Removes the folders of runs that nobody holds any more; what cannot be removed is tried next time.
fn sweep(shelf: &Path) {
    for entry in fs::read_dir(shelf).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_free = || File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok());
        if path.extension().is_some_and(|end| end == "lock")
            && is_free()
            && let Some(name) = path.file_stem()
        {
            drop(leave(shelf, &name.to_string_lossy()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_of_a_run_that_is_no_more_is_swept_and_one_that_is_alive_stays() {
        let desk = tempfile::tempdir().unwrap();
        let room = Room::make(desk.path()).unwrap();
        let shelf = desk.path().join("xtask/containers");
        fs::create_dir_all(shelf.join("reception-0/deep")).unwrap();
        fs::write(shelf.join("reception-0.lock"), "").unwrap();
        fs::create_dir_all(room.cache()).unwrap();
        sweep(&shelf);
        assert!(!shelf.join("reception-0").exists() && !shelf.join("reception-0.lock").exists());
        assert!(room.folder().exists() && room.cache().exists());
        room.leave().unwrap();
        assert!(!room.folder().exists() && !lock_path(&shelf, room.name()).exists());
    }
}
