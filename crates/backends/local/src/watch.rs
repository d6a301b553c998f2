//! What is watched: the records of a service, as their owners come, change, leave and die.

use std::{
    collections::{BTreeMap, BTreeSet},
    io, mem,
    path::Path,
    sync::Arc,
};

use reception_core::{Patch, Result, Service, ServiceId, ServiceName, Snapshot};
use reception_kit::{Break, Source, record};

use crate::{
    layout::Room,
    listener::{Listener, Look},
    records::{self, Identity, Seen, Stamp},
    session::Session,
};

const OPERATION: &str = "watch";

/// The records of one service, as they come.
#[derive(Debug)]
pub(crate) struct Instances {
    session: Arc<Session>,
    name: ServiceName,
    /// None when no file could have the name: then there is nothing to see, ever.
    room: Option<Room>,
    revision: u64,
    table: Table,
    listener: Option<Listener>,
    mark: Option<Mark>,
    /// Folders that had changed at the last glance, with no notice so far. It may be under way.
    doubt: Option<Mark>,
}

/// What is known of each record of a service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(BTreeMap<String, Known>);

#[derive(Debug, Clone)]
struct Known {
    stamp: Option<Stamp>,
    /// None: it cannot be read (law L16).
    service: Option<Service>,
}

/// The folders at the time of the last look: others that stand there now, or records that came or went since, are a reason for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    signs: Option<Identity>,
    records: Option<(Identity, (i64, i64))>,
}

/// What a look at the folders alone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glance {
    Same,
    /// Other folders stand there, or they changed and no notice came.
    Other,
}

/// The difference that a look has made.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    upserted: Vec<Service>,
    removed: Vec<ServiceId>,
    /// Files that nobody holds any more.
    settled: Vec<String>,
}

impl Instances {
    pub(crate) fn new(session: Arc<Session>, name: ServiceName, room: Option<Room>) -> Self {
        Self {
            session,
            name,
            room,
            revision: 0,
            table: Table::default(),
            listener: None,
            mark: None,
            doubt: None,
        }
    }

    /// Looks at some records or at all, and answers the difference to what was known. Without a listener it begins to listen before it looks.
    /// After an error nothing is known any more.
    async fn look(&mut self, room: &Room, files: Option<BTreeSet<String>>) -> Result<Difference> {
        let (room, name) = (room.clone(), self.name.clone());
        let (listener, mut table) = (self.listener.take(), mem::take(&mut self.table));
        let notices = Arc::clone(&self.session.notices);
        let work = move |root: &Path| {
            room.make(root)?;
            let mut listener = listener.unwrap_or_else(|| Listener::new(notices.open(&room.signs())));
            // Taken before the look: what changes meanwhile makes another difference.
            let mark = Mark::of(&room)?;
            let difference = table.look(&room, &name, files.as_ref())?;
            difference.settled.iter().for_each(|file| listener.settled(file));
            if files.is_none() {
                listener.reviewed();
            }
            Ok((listener, mark, table, difference))
        };
        let (listener, mark, table, difference) = self.session.work(OPERATION, work).await?;
        (self.listener, self.mark, self.table) = (Some(listener), Some(mark), table);
        self.revision += 1;
        Ok(difference)
    }

    /// Looks at the folders alone, and says what that asks for.
    async fn glance(&mut self, room: &Room) -> Result<Glance> {
        let room = room.clone();
        let mark = Some(self.session.work(OPERATION, move |_| Mark::of(&room)).await?);
        if mark == self.mark {
            return Ok(Glance::Same);
        }
        let replaced = mark.map(|mark| mark.signs) != self.mark.map(|mark| mark.signs);
        let doubted = mem::replace(&mut self.doubt, mark) == mark;
        Ok(if replaced || doubted { Glance::Other } else { Glance::Same })
    }

    fn patch(&self, difference: Difference) -> Patch {
        let Difference { upserted, removed, .. } = difference;
        Patch::new(self.revision, upserted, removed).with_unreadable(self.table.unreadable())
    }
}

impl Source for Instances {
    type View = Snapshot;

    async fn list(&mut self) -> Result<Snapshot> {
        (self.listener, self.table) = (None, Table::default());
        match self.room.clone() {
            Some(room) => drop(self.look(&room, None).await?),
            None => self.session.work(OPERATION, |_| Ok(())).await?,
        }
        Ok(self.table.snapshot(&self.name, self.revision))
    }

    /// Listening began before the list, and whatever breaks makes a new list.
    async fn resume(&mut self) -> Result<Patch, Break> {
        Ok(self.patch(Difference::default()))
    }

    async fn next(&mut self) -> Result<Patch, Break> {
        let Some(room) = self.room.clone() else { return std::future::pending().await };
        loop {
            let Some(listener) = &mut self.listener else { return std::future::pending().await };
            let unreadable = self.table.unreadable();
            let mut lost = false;
            let files = match listener.next().await {
                Look::Files(files) => Some(files),
                Look::Review => None,
                Look::Glance => match self.glance(&room).await.map_err(Break::Gap)? {
                    Glance::Same => continue,
                    Glance::Other => {
                        self.listener = None;
                        None
                    }
                },
                Look::Anew => {
                    self.listener = None;
                    lost = true;
                    None
                }
            };
            let difference = self.look(&room, files).await.map_err(Break::Gap)?;
            if let (true, Some(listener)) = (lost, &mut self.listener) {
                listener.review_soon();
            }
            if !difference.is_empty() || unreadable != self.table.unreadable() {
                return Ok(self.patch(difference));
            }
        }
    }
}

impl Table {
    /// Looks at these files, or at all, and takes away what the dead left.
    pub(crate) fn look(
        &mut self,
        room: &Room,
        name: &ServiceName,
        files: Option<&BTreeSet<String>>,
    ) -> io::Result<Difference> {
        let mut difference = Difference::default();
        let review = files.is_none();
        let all;
        let files = if let Some(files) = files {
            files
        } else {
            all = records::ids(&room.records())?.into_iter().collect();
            let missing: Vec<String> =
                self.0.keys().filter(|id| !BTreeSet::contains(&all, *id)).cloned().collect();
            missing.iter().for_each(|id| self.drop_out(id, &mut difference));
            &all
        };
        let mut dead = Vec::new();
        for id in files {
            // After a notice the bytes are read anew: a stamp may repeat within the tick of a clock.
            let known = self.0.get(id).filter(|_| review).and_then(|known| known.stamp);
            if self.look_at(room, name, id, known, &mut difference)? {
                dead.push(id.clone());
            }
        }
        let is_ours = |id: &str, bytes: &[u8]| read(name, id, bytes).is_some();
        // Another reader does it when this one cannot.
        match dead.is_empty() {
            true => {}
            false if review => drop(records::sweep(room, is_ours)),
            false => drop(records::clear(room, &dead, is_ours)),
        }
        Ok(difference)
    }

    /// Looks at one file; true when it is a record that nobody holds.
    fn look_at(
        &mut self,
        room: &Room,
        name: &ServiceName,
        id: &str,
        known: Option<Stamp>,
        difference: &mut Difference,
    ) -> io::Result<bool> {
        match records::look(room, id, known)? {
            Seen::Live(_, None) => {}
            Seen::Live(stamp, Some(bytes)) => {
                self.take(id, Known { stamp: Some(stamp), service: read(name, id, &bytes) }, difference);
            }
            // What nobody holds and we could not have written is somebody else's, and stays.
            Seen::Dead(_, bytes) if read(name, id, &bytes).is_none() => {
                self.take(id, Known { stamp: None, service: None }, difference);
            }
            Seen::Odd => self.take(id, Known { stamp: None, service: None }, difference),
            Seen::Dead(..) => {
                self.drop_out(id, difference);
                return Ok(true);
            }
            Seen::Gone => self.drop_out(id, difference),
        }
        Ok(false)
    }

    fn take(&mut self, id: &str, known: Known, difference: &mut Difference) {
        let service = known.service.clone();
        let before = self.0.insert(id.to_owned(), known).and_then(|before| before.service);
        match service {
            Some(service) if before.as_ref() != Some(&service) => difference.upserted.push(service),
            None => difference.removed.extend(before.map(|before| before.id().clone())),
            Some(_) => {}
        }
    }

    fn drop_out(&mut self, id: &str, difference: &mut Difference) {
        difference.settled.push(id.to_owned());
        let before = self.0.remove(id).and_then(|before| before.service);
        difference.removed.extend(before.map(|before| before.id().clone()));
    }

    fn unreadable(&self) -> usize {
        self.0.values().filter(|known| known.service.is_none()).count()
    }

    pub(crate) fn snapshot(&self, name: &ServiceName, revision: u64) -> Snapshot {
        let services = self.0.values().filter_map(|known| known.service.clone());
        Snapshot::new(name.clone(), revision, services.collect::<Vec<_>>()).with_unreadable(self.unreadable())
    }

    /// Whether an instance is there, of any status.
    pub(crate) fn has_any(&self) -> bool {
        self.0.values().any(|known| known.service.is_some())
    }
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.upserted.is_empty() && self.removed.is_empty()
    }
}

impl Mark {
    /// The folder that is listened to.
    pub(crate) fn signs(&self) -> Option<Identity> {
        self.signs
    }

    pub(crate) fn of(room: &Room) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let records = match room.records().metadata() {
            Ok(found) => {
                let identity = Identity { device: found.dev(), inode: found.ino() };
                Some((identity, (found.mtime(), found.mtime_nsec())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { signs: Identity::at(&room.signs())?, records })
    }
}

fn read(name: &ServiceName, id: &str, bytes: &[u8]) -> Option<Service> {
    record::decode(name, &ServiceId::foreign(id).ok()?, bytes).ok()
}
