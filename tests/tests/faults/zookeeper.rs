//! The stand of ZooKeeper: one server, a client of its own as the operator, and a proxy that knows every session.
//!
//! ZooKeeper ends a session only for who has its password, which a server tells once, to the session's client. So all clients go through a
//! proxy of the stand, which remembers.

use std::{
    collections::BTreeSet,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::try_join_all;
use reception::async_trait;
use reception_lab::{Error, Proxy, ProxyOptions, Result, ZooKeeper, ZooKeeperSession};
use tempfile::TempDir;
use zookeeper_client::{Client, Error as Native};

use crate::stand::{Folder, Guard, Lack, Seal, Setup, Stand, Tally};

/// The server looks for dead sessions once a tick, and rounds their end up to the next one.
const EXPIRY: Duration = Duration::from_millis(1000);
/// What two ticks of half a second are.
const LEAST_TTL: Duration = Duration::from_secs(1);
/// A sweep of all sessions by the operator takes no longer.
const PATIENCE: Duration = Duration::from_secs(30);

const LACKS: &[Lack] = &[
    // A user is a name and a password that the server hashes; there are no tokens, and nothing to change.
    Lack::Setup(Setup::IdleTokens),
    Lack::Setup(Setup::SignedTokens),
    Lack::Guard,
    // 3.8 reads its certificate when it starts.
    Lack::Setup(Setup::Certificate),
    Lack::Setup(Setup::BothCertificates),
    Lack::Seal,
    // A watch has no past.
    Lack::Forgetting,
];

struct Stood {
    server: ZooKeeper,
    tap: Proxy,
    folder: TempDir,
}

/// Starts the server of one scenario.
pub(crate) async fn stand(_number: u8) -> std::result::Result<Box<dyn Stand>, String> {
    let stood = async {
        let server = ZooKeeper::start().await?;
        let tap = Proxy::start_with(server.endpoint(), ProxyOptions::default().jute(true)).await?;
        let folder = tempfile::tempdir().map_err(|source| failed("a temporary folder", source))?;
        Ok(Stood { server, tap, folder })
    };
    let stood: Result<Stood> = stood.await;
    Ok(Box::new(stood.map_err(|error| error.to_string())?))
}

fn failed(what: &str, source: io::Error) -> Error {
    Error::Io { what: what.to_owned(), source }
}

fn unexpected(what: impl Into<String>) -> Error {
    Error::Unexpected { what: what.into() }
}

fn native(wrong: &Native) -> Error {
    unexpected(format!("the operator: {wrong}"))
}

impl Stood {
    /// A session of the operator, past every proxy.
    async fn operator(&self) -> Result<Client> {
        let connector = Client::connector().with_session_timeout(PATIENCE);
        connector.connect(&self.server.endpoint().to_string()).await.map_err(|wrong| native(&wrong))
    }

    /// Ends those of the sessions that are known, all at a time, and tells how many.
    async fn end(&self, living: &BTreeSet<i64>) -> Result<usize> {
        let known = self.tap.openings();
        let sessions = known.iter().filter_map(|opening| ZooKeeperSession::read(opening));
        let living: Vec<_> = sessions.filter(|session| living.contains(&session.id())).collect();
        try_join_all(living.iter().map(|session| session.end(self.server.endpoint()))).await?;
        Ok(living.len())
    }

    /// What the server knows of sessions and of what stands on them.
    async fn dump(&self) -> Result<Dump> {
        Ok(Dump::parse(&self.server.word("dump").await?))
    }
}

/// The sessions of a server and their ephemeral nodes.
#[derive(Default)]
struct Dump {
    sessions: BTreeSet<i64>,
    nodes: BTreeSet<String>,
}

impl Dump {
    fn parse(told: &str) -> Self {
        let mut dump = Self::default();
        for line in told.lines().map(str::trim) {
            if line.starts_with('/') {
                dump.nodes.insert(line.to_owned());
            } else if let Some(id) = line.strip_prefix("0x") {
                dump.sessions.extend(id.trim_end_matches(':').parse_hex());
            }
        }
        dump
    }
}

trait ParseHex {
    fn parse_hex(&self) -> Option<i64>;
}

impl ParseHex for str {
    fn parse_hex(&self) -> Option<i64> {
        u64::from_str_radix(self, 16).ok().map(u64::cast_signed)
    }
}

async fn children(operator: &Client, path: &str) -> Result<Vec<String>> {
    match operator.list_children(path).await {
        Err(Native::NoNode) => Ok(Vec::new()),
        listed => listed.map_err(|wrong| native(&wrong)),
    }
}

/// A fault that breaks nothing would show nothing.
async fn delete(operator: &Client, path: &str) -> Result<()> {
    operator.delete(path, None).await.map_err(|wrong| native(&wrong))
}

#[async_trait]
impl Stand for Stood {
    fn endpoint(&self) -> SocketAddr {
        self.tap.endpoint()
    }

    fn lacks(&self) -> &'static [Lack] {
        LACKS
    }

    fn url(&self, endpoint: SocketAddr, namespace: &str, ttl: Duration) -> String {
        format!("zk://{endpoint}/{namespace}?ttl={}ms", ttl.as_millis())
    }

    fn granted(&self, asked: Duration) -> Duration {
        asked.max(LEAST_TTL)
    }

    fn expiry_slack(&self) -> Duration {
        EXPIRY
    }

    fn relayed(&self) -> u64 {
        self.tap.counts().open_connections
    }

    /// The driver tries again at once when its connection breaks.
    fn spread(&self) -> Duration {
        Duration::ZERO
    }

    fn kill(&self) {
        self.server.kill();
    }

    async fn restart(&self) -> Result<()> {
        self.server.restart().await
    }

    async fn wipe(&self) -> Result<()> {
        self.server.wipe().await
    }

    fn pause(&self) -> Result<()> {
        self.server.pause()
    }

    fn resume(&self) -> Result<()> {
        self.server.resume()
    }

    async fn revoke(&self, _namespace: &str) -> Result<()> {
        let living = self.dump().await?.sessions;
        // Its client must not take a session back while it is being ended: the server may then leave it without an answer.
        self.tap.refuse().await;
        let ended = self.end(&living).await;
        self.tap.heal().await?;
        match ended? {
            0 => Err(unexpected("there is no session to end")),
            _ => Ok(()),
        }
    }

    async fn delete_leader(&self, namespace: &str, election: &str) -> Result<()> {
        let operator = self.operator().await?;
        let folder = format!("/{namespace}-elections/{election}");
        let mut line = children(&operator, &folder).await?;
        line.sort_by_key(|child| child.rsplit_once('-').map(|(_, sequence)| sequence.to_owned()));
        let first =
            line.first().ok_or_else(|| unexpected("there is no leader whose node could be deleted"))?;
        delete(&operator, &format!("{folder}/{first}")).await
    }

    async fn delete_instance(&self, namespace: &str, service: &str, id: &str) -> Result<()> {
        let operator = self.operator().await?;
        delete(&operator, &format!("/{namespace}/{service}/{id}")).await
    }

    async fn residue(&self, namespace: &str) -> Result<Vec<String>> {
        let Dump { sessions, nodes } = self.dump().await?;
        let roots = [format!("/{namespace}/"), format!("/{namespace}-elections/")];
        let below = |path: &String| roots.iter().any(|root| path.starts_with(root));
        let mut left: Vec<String> = nodes.into_iter().filter(below).collect();
        // A part of a scenario's namespace has others beside it, whose sessions are none of its own.
        if !namespace.contains('/') {
            left.extend(sessions.into_iter().map(|id| format!("session {id:#x}")));
        }
        Ok(left)
    }

    async fn save(&self) -> Result<()> {
        let saved = self.saved();
        drop(fs::remove_dir_all(&saved));
        copy(&self.server.data(), &saved).map_err(|source| failed("save the data", source))
    }

    async fn restore(&self) -> Result<()> {
        self.server.kill();
        let data = self.server.data();
        let back = fs::remove_dir_all(&data).and_then(|()| copy(&self.saved(), &data));
        back.map_err(|source| failed("put the saved data back", source))?;
        self.server.restart().await
    }

    async fn prepare(&self, _namespace: &str, _election: &str) -> Result<()> {
        Ok(())
    }

    async fn tally(&self) -> Result<Tally> {
        let told = self.server.word("srvr").await?;
        let zxid = told.lines().find_map(|line| line.strip_prefix("Zxid: 0x")?.parse_hex());
        // Every try to write takes a transaction, also one that is refused.
        let writes = zxid.ok_or_else(|| unexpected("the server tells no transaction"))? & i64::from(u32::MAX);
        // A path, then a line for each session that watches it; the server counts a recursive watch twice in its numbers.
        let told = self.server.word("wchp").await?;
        let watches = told.lines().filter(|line| line.starts_with('\t')).count() as u64;
        Ok(Tally { watches, writes: writes.cast_unsigned(), ..Tally::default() })
    }

    async fn other(&self, _setup: Setup) -> Result<Option<Box<dyn Stand>>> {
        Ok(None)
    }

    fn guard(&self) -> Option<&dyn Guard> {
        None
    }

    fn seal(&self) -> Option<&dyn Seal> {
        None
    }

    fn folder(&self) -> Option<&dyn Folder> {
        None
    }

    async fn defragment(&self) -> Result<()> {
        Ok(())
    }

    async fn compact(&self) -> Result<bool> {
        Ok(false)
    }
}

impl Stood {
    fn saved(&self) -> PathBuf {
        self.folder.path().join("saved")
    }
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
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
