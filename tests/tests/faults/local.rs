//! The stand of `local:`: a folder in memory, and a hand that does to its files what an operator could.
//!
//! There is no wire: a proxy in front of [`endpoint`](Stand::endpoint) is passed by. Whoever dials through one has a way of its own all the same, a
//! link to the folder, which can be cut.

mod gates;

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reception::{ClientExt as _, ElectionName, ListOptions, ServiceName, async_trait};
use reception_lab::{Error, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;
use tokio::time::sleep;

use self::gates::Gates;
use crate::stand::{Folder, Guard, Lack, Seal, Setup, Stand, Tally};

/// Nobody listens there.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

struct Stood {
    desk: TempDir,
    gates: Mutex<Option<Gates>>,
    guarded: bool,
}

/// Makes the folder of one scenario.
pub(crate) fn stand() -> std::result::Result<Box<dyn Stand>, String> {
    Ok(Box::new(Stood::new(false).map_err(|error| error.to_string())?))
}

impl Stood {
    fn new(guarded: bool) -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let desk = tempfile::Builder::new().prefix("reception-faults-").tempdir_in(place)?;
        let this = Self { desk, gates: Mutex::default(), guarded };
        make(&this.path())?;
        make(&this.desk.path().join("ways"))?;
        Ok(this)
    }

    fn namespace(&self, namespace: &str) -> PathBuf {
        self.path().join(namespace)
    }

    /// The way of whoever dials through this address; made when it is first asked for.
    fn way(&self, endpoint: SocketAddr) -> PathBuf {
        if endpoint == NOBODY {
            return self.path();
        }
        let way = self.desk.path().join("ways").join(endpoint.port().to_string());
        if way.symlink_metadata().is_err() {
            symlink(self.path(), &way).expect("a link to the folder");
        }
        way
    }

    /// Puts a folder in the place of ours with no instant between, and what stood there away.
    fn replace(&self, by: &Path) -> io::Result<()> {
        renameat_with(CWD, by, CWD, self.path(), RenameFlags::EXCHANGE)?;
        // Whoever holds files there may be at it.
        while fs::remove_dir_all(by).is_err() && by.exists() {}
        Ok(())
    }

    fn gates(&self) -> MutexGuard<'_, Option<Gates>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room may go while it is looked at, and the system has few ears for all that run here: a few tries.
    async fn watched(&self) -> io::Result<Gates> {
        for _ in 0..50 {
            if let Ok(gates) = Gates::watch(&rooms(&self.path())) {
                return Ok(gates);
            }
            sleep(Duration::from_millis(100)).await;
        }
        Gates::watch(&rooms(&self.path()))
    }

    fn saved(&self) -> PathBuf {
        self.desk.path().join("saved")
    }

    /// Reads everything once, as any program might: a reader takes away what the dead left.
    async fn read(&self, namespace: &str) -> reception::Result<()> {
        let client = reception::dial(&self.url(NOBODY, namespace, Duration::ZERO)).await?;
        for name in entries(&self.namespace(namespace).join("services")) {
            let name: ServiceName = file_name(&name).parse()?;
            client.list_with(&name, ListOptions::default().any_status(true)).await?;
        }
        for name in entries(&self.namespace(namespace).join("elections")) {
            let name: ElectionName = file_name(&name).parse()?;
            client.elector(&name).await?.candidates().await?;
        }
        client.close().await
    }
}

fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// What the system refused to our hand.
fn hand<T>(done: io::Result<T>) -> Result<T> {
    done.map_err(|source| Error::Io { what: format!("a hand at the folder: {source}"), source })
}

fn unexpected(what: &str) -> Error {
    Error::Unexpected { what: what.to_owned() }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

/// The namespaces are folders in folders: every room below, of a service or an election.
fn rooms(below: &Path) -> Vec<PathBuf> {
    if below.join("records").is_dir() {
        return vec![below.to_owned()];
    }
    entries(below).iter().filter(|path| path.is_dir()).flat_map(|path| rooms(path)).collect()
}

/// The records and signs of every room below.
fn files(below: &Path) -> Vec<PathBuf> {
    let folders = rooms(below).into_iter().flat_map(|room| [room.join("records"), room.join("signs")]);
    folders.flat_map(|folder| entries(&folder)).collect()
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    make(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[async_trait]
impl Stand for Stood {
    fn endpoint(&self) -> SocketAddr {
        NOBODY
    }

    fn lacks(&self) -> &'static [Lack] {
        &[]
    }

    fn url(&self, endpoint: SocketAddr, namespace: &str, _ttl: Duration) -> String {
        format!("local://{}?namespace={namespace}&any_fs=true", self.way(endpoint).display())
    }

    /// Nothing expires.
    fn granted(&self, _asked: Duration) -> Duration {
        Duration::ZERO
    }

    fn expiry_slack(&self) -> Duration {
        Duration::ZERO
    }

    fn kill(&self) {
        unreachable!("there is no server")
    }

    async fn restart(&self) -> Result<()> {
        Err(unexpected("there is no server"))
    }

    async fn wipe(&self) -> Result<()> {
        let empty = self.desk.path().join("empty");
        hand(make(&empty).and_then(|()| self.replace(&empty)))
    }

    fn pause(&self) -> Result<()> {
        Err(unexpected("there is no server"))
    }

    fn resume(&self) -> Result<()> {
        Err(unexpected("there is no server"))
    }

    async fn revoke(&self, namespace: &str) -> Result<()> {
        let files = files(&self.namespace(namespace));
        if files.is_empty() {
            return Err(unexpected("there is no claim to take away"));
        }
        for file in files {
            // Its owner may have been faster.
            drop(fs::remove_file(file));
        }
        Ok(())
    }

    async fn delete_leader(&self, namespace: &str, election: &str) -> Result<()> {
        let room = self.namespace(namespace).join("elections").join(election);
        let term = hand(fs::read_to_string(room.join("term")))?;
        let ticket = term.split(' ').nth(2).ok_or_else(|| unexpected("a term without a ticket"))?;
        hand(fs::remove_file(room.join("records").join(ticket)))
    }

    async fn delete_instance(&self, namespace: &str, service: &str, id: &str) -> Result<()> {
        let room = self.namespace(namespace).join("services").join(service);
        hand(fs::remove_file(room.join("records").join(id)))
    }

    async fn residue(&self, namespace: &str) -> Result<Vec<String>> {
        for room in rooms(&self.namespace(namespace)) {
            // A room lies in its namespace's `services` or `elections`.
            let space = room.parent().and_then(Path::parent).unwrap_or(&room);
            let space = space.strip_prefix(self.path()).unwrap_or(space).display().to_string();
            self.read(&space).await.map_err(|error| unexpected(&error.to_string()))?;
        }
        Ok(files(&self.namespace(namespace)).iter().map(|path| path.display().to_string()).collect())
    }

    async fn save(&self) -> Result<()> {
        drop(fs::remove_dir_all(self.saved()));
        hand(copy(&self.path(), &self.saved()))
    }

    async fn restore(&self) -> Result<()> {
        let older = self.desk.path().join("older");
        hand(copy(&self.saved(), &older).and_then(|()| self.replace(&older)))
    }

    /// A write begins at a gate; nothing else is counted.
    async fn tally(&self) -> Result<Tally> {
        if self.gates().is_none() {
            let watched = self.watched().await;
            *self.gates() = Some(hand(watched)?);
        }
        let writes = hand(self.gates().as_mut().map_or(Ok(0), Gates::passed))?;
        Ok(Tally { writes, ..Tally::default() })
    }

    async fn prepare(&self, namespace: &str, election: &str) -> Result<()> {
        let room = self.namespace(namespace).join("elections").join(election);
        hand(make(&room))?;
        let lock = hand(fs::File::create(room.join("lock")).and_then(|lock| lock.metadata()))?;
        let (domain, ticket) = (uuid::Uuid::new_v4().simple(), format!("{:020}-{:032x}", 0, 0));
        let term = format!("1 {domain}:1 {ticket} {} {}\n", lock.dev(), lock.ino());
        hand(fs::write(room.join("term"), term))
    }

    async fn other(&self, setup: Setup) -> Result<Option<Box<dyn Stand>>> {
        Ok(match setup {
            Setup::IdleTokens => Some(Box::new(hand(Self::new(true))?)),
            _ => None,
        })
    }

    fn guard(&self) -> Option<&dyn Guard> {
        self.guarded.then_some(self)
    }

    fn seal(&self) -> Option<&dyn Seal> {
        None
    }

    fn folder(&self) -> Option<&dyn Folder> {
        Some(self)
    }

    async fn defragment(&self) -> Result<()> {
        Ok(())
    }

    async fn compact(&self) -> Result<bool> {
        Ok(false)
    }
}

/// The rights of a folder are all that there is: one that others can write may not be used.
#[async_trait]
impl Guard for Stood {
    async fn add_user(&self, _name: &str) -> Result<u64> {
        Err(unexpected("a folder has no users"))
    }

    async fn set_password(&self, _right: bool) -> Result<()> {
        Err(unexpected("a folder has no password"))
    }

    async fn set_rights(&self, right: bool) -> Result<()> {
        let mode = if right { 0o700 } else { 0o777 };
        hand(fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)))
    }
}

impl Folder for Stood {
    fn path(&self) -> PathBuf {
        self.desk.path().join("store")
    }

    fn cut(&self, endpoint: SocketAddr) -> Result<()> {
        self.lead(endpoint, &self.desk.path().join("nowhere"))
    }

    fn heal(&self, endpoint: SocketAddr) -> Result<()> {
        self.lead(endpoint, &self.path())
    }
}

impl Stood {
    fn lead(&self, endpoint: SocketAddr, target: &Path) -> Result<()> {
        let next = self.desk.path().join("ways").join(format!("{}.next", endpoint.port()));
        hand(symlink(target, &next).and_then(|()| fs::rename(next, self.way(endpoint))))
    }
}
