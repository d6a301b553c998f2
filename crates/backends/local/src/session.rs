//! What a client holds on this machine: the folder, the files that it has open, and the ear for notices.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reception_core::{Clock, Error, OnConflict, Result};
use reception_kit::{Supervisor, sleep_until, within};

use crate::{
    error::{self, NAME, held},
    folder::Root,
    layout::Room,
    notices::Notices,
    records::{Identity, Owned},
};

/// Between two tries at a gate that another process holds for an instant.
const KNOCK: Duration = Duration::from_millis(3);
/// A guard that was dropped a moment ago has not begun to withdraw: who asks for the same id again gives it this long.
const GRACE: Duration = Duration::from_millis(100);

/// The open files and the way to them, of one client.
#[derive(Debug)]
pub(crate) struct Session {
    supervisor: Supervisor,
    root: Arc<Root>,
    timeout: Duration,
    pub(crate) notices: Arc<Notices>,
    grips: Mutex<Vec<Weak<Grip>>>,
    ids: Mutex<BTreeMap<std::path::PathBuf, Owner>>,
    marks: AtomicU64,
}

/// The files that one registration, or candidate, holds. What blocks shares it with what waits, so it has its own lock.
#[derive(Debug, Default)]
pub(crate) struct Grip {
    /// Raised when the files are given up: work that was asked for before and begins later does nothing.
    round: AtomicU64,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) record: Option<Owned>,
    /// Of a candidate: the name of its record.
    pub(crate) ticket: Option<String>,
    /// Of a candidate: the election's lock, and which file it is.
    pub(crate) lock: Option<(std::fs::File, Identity)>,
    /// The client was ended as a kill would: nothing is held any more.
    dead: bool,
}

/// Who of this client has an id.
#[derive(Debug)]
struct Owner {
    mark: u64,
    leaving: bool,
}

impl Session {
    pub(crate) fn new(supervisor: Supervisor, root: Root, timeout: Duration) -> Self {
        let notices = Arc::new(Notices::new(supervisor.clone()));
        Self {
            supervisor,
            root: Arc::new(root),
            timeout,
            notices,
            grips: Mutex::default(),
            ids: Mutex::default(),
            marks: AtomicU64::new(1),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Works on files where blocking is allowed, after a look at the folder.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = Arc::clone(&self.root);
        let running = self.supervisor.blocking(operation, move || {
            root.enter()?;
            work(root.path())
        });
        let outcome = within(self.timeout, NAME, operation, running).await?;
        outcome.map_err(|error| error::io(operation, self.root(), error))
    }

    /// Works on the files of a grip, again and again while a gate is held by somebody else. None from `work` means that.
    pub(crate) async fn insist<T: Send + 'static>(
        &self,
        operation: &'static str,
        grip: &Arc<Grip>,
        room: &Room,
        work: impl Fn(&Path, &mut Files) -> io::Result<Option<T>> + Clone + Send + 'static,
    ) -> Result<T> {
        let until = Clock::BOOT.now().saturating_add(self.timeout);
        let round = grip.round();
        loop {
            let (grip, work) = (Arc::clone(grip), work.clone());
            let done = self.work(operation, move |root| {
                let mut files = grip.files();
                if files.dead || grip.round() != round {
                    return Ok(Some(None));
                }
                work(root, &mut files).map(|done| done.map(Some))
            });
            match done.await? {
                Some(Some(done)) => return Ok(done),
                Some(None) => return Err(error::closed(operation)),
                None if Clock::BOOT.now() >= until => return Err(error::busy(operation, room.folder())),
                None => sleep_until(&Clock::BOOT, Clock::BOOT.now().saturating_add(KNOCK)).await,
            }
        }
    }

    /// Files for a new registration or candidate.
    pub(crate) fn grip(&self) -> Arc<Grip> {
        let grip = Arc::new(Grip::default());
        let mut grips = lock(&self.grips);
        grips.retain(|other| other.strong_count() > 0);
        grips.push(Arc::downgrade(&grip));
        grip
    }

    /// How many registrations and candidates there are, or were a moment ago.
    pub(crate) fn claims(&self) -> u32 {
        u32::try_from(lock(&self.grips).len()).unwrap_or(u32::MAX)
    }

    /// Takes an id for a registration of this client; a second one is a conflict at once (law L8).
    pub(crate) async fn take(
        self: &Arc<Self>,
        room: &Room,
        id: &str,
        on_conflict: OnConflict,
    ) -> Result<Hold> {
        let hold = Hold {
            session: Arc::clone(self),
            place: room.record(id),
            mark: self.marks.fetch_add(1, Ordering::Relaxed),
        };
        let until = Clock::BOOT.now().saturating_add(GRACE);
        while !hold.try_take() {
            if on_conflict == OnConflict::Fail || Clock::BOOT.now() >= until {
                return Err(held("register", id));
            }
            sleep_until(&Clock::BOOT, Clock::BOOT.now().saturating_add(KNOCK)).await;
        }
        Ok(hold)
    }

    /// Lets every file go as the end of the process would: nothing is taken away, and nothing is done any more.
    pub(crate) fn vanish(&self) {
        for grip in lock(&self.grips).drain(..).filter_map(|grip| grip.upgrade()) {
            let mut files = grip.files();
            *files = Files { dead: true, ..Files::default() };
        }
    }
}

impl Grip {
    pub(crate) fn files(&self) -> MutexGuard<'_, Files> {
        lock(&self.files)
    }

    fn round(&self) -> u64 {
        self.round.load(Ordering::Acquire)
    }

    /// From here on nothing that was asked for before takes effect, once the lock on the files was had.
    pub(crate) fn next_round(&self) {
        self.round.fetch_add(1, Ordering::AcqRel);
    }
}

/// An id that a registration of this client has; dropping it frees the id.
#[derive(Debug)]
pub(crate) struct Hold {
    session: Arc<Session>,
    place: std::path::PathBuf,
    mark: u64,
}

impl Hold {
    fn try_take(&self) -> bool {
        let mut ids = lock(&self.session.ids);
        let free = ids.get(&self.place).is_none_or(|owner| owner.leaving);
        if free {
            ids.insert(self.place.clone(), Owner { mark: self.mark, leaving: false });
        }
        free
    }

    /// The registration is being withdrawn: another one may have the id, as far as this client is concerned.
    pub(crate) fn leave(&self) {
        if let Some(owner) = lock(&self.session.ids).get_mut(&self.place) {
            owner.leaving |= owner.mark == self.mark;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut ids = lock(&self.session.ids);
        if ids.get(&self.place).is_some_and(|owner| owner.mark == self.mark) {
            ids.remove(&self.place);
        }
    }
}

/// Nothing panics while it holds one, so that poison means nothing here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of a claim that a hand from outside took away.
pub(crate) fn removed(operation: &'static str) -> Error {
    error::gone(operation, "the file was removed or replaced")
}
