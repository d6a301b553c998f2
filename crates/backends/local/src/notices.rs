//! Notices of changes in folders of signs, from the operating system.
//!
//! One watcher for a client, made when the first folder is watched. Where none can be had (the system grants a user so many) the folder is looked at
//! again and again instead, and who listens knows that.

use std::{
    collections::BTreeMap,
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
};

use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, ModifyKind},
};
use reception_kit::Supervisor;
use tokio::sync::Notify;

use crate::session::lock;

/// More than this many files that changed at once are a reason to look at all of them.
const MOST: usize = 1024;

type Inboxes = Arc<Mutex<BTreeMap<PathBuf, Vec<Weak<Inbox>>>>>;

/// The notices of one client.
#[derive(Debug)]
pub(crate) struct Notices {
    supervisor: Supervisor,
    /// Never held together with the inboxes: the watcher's thread needs those while a call waits for it.
    watcher: Mutex<Slot>,
    inboxes: Inboxes,
}

#[derive(Debug, Default)]
struct Slot {
    watcher: Option<RecommendedWatcher>,
    shut: bool,
}

/// What has been heard of one folder and was not taken yet.
#[derive(Debug, Default)]
struct Inbox {
    heard: Mutex<Heard>,
    bell: Notify,
}

/// What was heard of one folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Files that changed; true when one was closed that was open for writing, as the death of its owner does.
    pub(crate) files: BTreeMap<String, bool>,
    /// Notices were lost, or the folder itself was moved or removed.
    pub(crate) gap: bool,
}

/// Listens to one folder while it lives.
#[derive(Debug)]
pub(crate) struct Ear {
    notices: Arc<Notices>,
    folder: PathBuf,
    inbox: Arc<Inbox>,
    deaf: bool,
}

impl Notices {
    pub(crate) fn new(supervisor: Supervisor) -> Self {
        Self { supervisor, watcher: Mutex::default(), inboxes: Inboxes::default() }
    }

    /// Begins to listen to a folder that is there. Blocks for an instant.
    pub(crate) fn open(self: &Arc<Self>, folder: &Path) -> Ear {
        // Some systems name files by the path that has no links in it.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let inbox = Arc::new(Inbox::default());
        lock(&self.inboxes).entry(folder.clone()).or_default().push(Arc::downgrade(&inbox));
        let deaf = !self.watch(&folder);
        Ear { notices: Arc::clone(self), folder, inbox, deaf }
    }

    fn watch(&self, folder: &Path) -> bool {
        let mut slot = lock(&self.watcher);
        if slot.shut {
            return false;
        }
        if slot.watcher.is_none() {
            let inboxes = Arc::clone(&self.inboxes);
            let made = RecommendedWatcher::new(move |event| tell(&inboxes, event), Config::default());
            slot.watcher = made.inspect_err(|error| tracing::debug!(%error, "no notices of changes")).ok();
        }
        slot.watcher
            .as_mut()
            .is_some_and(|watcher| watcher.watch(folder, RecursiveMode::NonRecursive).is_ok())
    }

    fn unwatch(&self, folder: &Path) {
        let mut slot = lock(&self.watcher);
        // Somebody may listen again by now.
        let listened_to = lock(&self.inboxes).contains_key(folder);
        if let (false, Some(watcher)) = (listened_to, &mut slot.watcher) {
            // It fails for a folder that is gone, which is no longer watched then.
            drop(watcher.unwatch(folder));
        }
    }

    /// Ends the watcher and its thread.
    pub(crate) fn shut(&self) {
        let slot = mem::replace(&mut *lock(&self.watcher), Slot { watcher: None, shut: true });
        drop(slot);
    }
}

impl Ear {
    /// Whether no notice will come, so that one has to look.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Waits for what there is to hear. Cancel safe.
    pub(crate) async fn listen(&self) -> Heard {
        loop {
            let heard = mem::take(&mut *lock(&self.inbox.heard));
            if heard.gap || !heard.files.is_empty() {
                return heard;
            }
            self.inbox.bell.notified().await;
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        {
            let mut inboxes = lock(&self.notices.inboxes);
            let Some(others) = inboxes.get_mut(&self.folder) else { return };
            others.retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(&self.inbox)));
            if !others.is_empty() {
                return;
            }
            inboxes.remove(&self.folder);
        }
        let (notices, folder) = (Arc::clone(&self.notices), mem::take(&mut self.folder));
        // It waits for the watcher's thread.
        drop(self.notices.supervisor.blocking("unwatch", move || notices.unwatch(&folder)));
    }
}

impl Inbox {
    fn put(&self, file: Option<(&str, bool)>) {
        {
            let mut heard = lock(&self.heard);
            match file {
                Some((file, closed)) if heard.files.len() < MOST => {
                    *heard.files.entry(file.to_owned()).or_default() |= closed;
                }
                _ => *heard = Heard { gap: true, ..Heard::default() },
            }
        }
        self.bell.notify_one();
    }
}

/// Sorts a notice into the inboxes; runs on the watcher's thread.
fn tell(inboxes: &Inboxes, event: notify::Result<Event>) {
    let inboxes = lock(inboxes);
    let event = match event {
        Ok(event) if !event.need_rescan() => event,
        _ => return inboxes.values().flatten().filter_map(Weak::upgrade).for_each(|inbox| inbox.put(None)),
    };
    let closed = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => return,
        _ => false,
    };
    let moved = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
    for path in &event.paths {
        let itself = inboxes.get(path).filter(|_| moved);
        itself.into_iter().flatten().filter_map(Weak::upgrade).for_each(|inbox| inbox.put(None));
        let file = path.file_name().and_then(crate::layout::id);
        let (Some(file), Some(folder)) = (file, path.parent()) else { continue };
        let listening = inboxes.get(folder).into_iter().flatten().filter_map(Weak::upgrade);
        listening.for_each(|inbox| inbox.put(Some((file, closed))));
    }
}
