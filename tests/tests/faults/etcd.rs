//! The stand of etcd: one server, and its own command line as the operator.

mod guarded;
mod sealed;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use reception::async_trait;
use reception_lab::{Error, Etcd, EtcdOptions, Etcdctl, Result};
use tempfile::TempDir;

use self::{guarded::Guarded, sealed::Sealed};
use crate::stand::{Folder, Guard, Lack, Seal, Setup, Stand, Tally};

/// The lessor looks for expired leases twice a second (etcd `server/lease/lessor.go`).
const EXPIRY_LOOP: Duration = Duration::from_millis(500);

/// The least ttl that etcd grants: one and a half election timeouts, rounded up (etcd `server/etcdserver/server.go`).
const LEAST_TTL: Duration = Duration::from_secs(2);

struct Stood {
    server: Etcd,
    ctl: Etcdctl,
    guard: Option<Guarded>,
    seal: Option<Sealed>,
    folder: TempDir,
}

/// Starts the server of one scenario.
pub(crate) async fn stand(_number: u8) -> std::result::Result<Box<dyn Stand>, String> {
    Ok(Box::new(Stood::plain().await.map_err(|error| error.to_string())?))
}

impl Stood {
    async fn plain() -> Result<Self> {
        let server = Etcd::start().await?;
        let ctl = server.ctl()?;
        Ok(Self { server, ctl, guard: None, seal: None, folder: folder() })
    }

    async fn guarded(options: EtcdOptions, folder: TempDir) -> Result<Self> {
        let server = Etcd::start_with(options).await?;
        let guard = Guarded::set_up(&server).await?;
        Ok(Self { ctl: guard.root(), server, guard: Some(guard), seal: None, folder })
    }

    async fn sealed(both: bool) -> Result<Self> {
        let folder = folder();
        let seal = Sealed::new(folder.path(), both);
        let server = Etcd::start_with(EtcdOptions::default().tls(seal.of_server())).await?;
        let ctl = server.ctl()?;
        Ok(Self { server, ctl, guard: None, seal: Some(seal), folder })
    }

    fn saved(&self) -> PathBuf {
        self.folder.path().join("saved")
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let read = self.ctl.run(&["get", "--prefix", "--keys-only", prefix]).await?;
        Ok(read.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    async fn leases(&self) -> Result<Vec<String>> {
        let read = self.ctl.run(&["lease", "list"]).await?;
        let is_lease = |line: &&str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(read.stdout.lines().map(str::trim).filter(is_lease).map(str::to_owned).collect())
    }

    /// A fault that breaks nothing would show nothing.
    async fn delete(&self, key: &str) -> Result<()> {
        let deleted = self.ctl.run(&["del", key]).await?;
        if deleted.stdout.trim() == "1" { Ok(()) } else { Err(unexpected(&format!("{key} was not there"))) }
    }

    /// The first created key of an election is its leader's.
    async fn leader_key(&self, namespace: &str, election: &str) -> Result<Option<String>> {
        let prefix = format!("{namespace}/elections/{election}/");
        let words =
            ["get", "--prefix", "--keys-only", "--sort-by=CREATE", "--order=ASCEND", "--limit=1", &prefix];
        let read = self.ctl.run(&words).await?;
        Ok(read.stdout.lines().find(|line| !line.is_empty()).map(str::to_owned))
    }
}

fn unexpected(what: &str) -> Error {
    Error::Unexpected { what: what.to_owned() }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[async_trait]
impl Stand for Stood {
    fn endpoint(&self) -> SocketAddr {
        self.server.endpoint()
    }

    fn lacks(&self) -> &'static [Lack] {
        &[]
    }

    fn url(&self, endpoint: SocketAddr, namespace: &str, ttl: Duration) -> String {
        let user = self.guard.as_ref().map_or("", Guarded::user);
        let files = self.seal.as_ref().map_or_else(String::new, Sealed::files);
        format!("etcd://{user}{endpoint}/{namespace}?ttl={}ms{files}", ttl.as_millis())
    }

    fn granted(&self, asked: Duration) -> Duration {
        asked.max(LEAST_TTL)
    }

    fn expiry_slack(&self) -> Duration {
        EXPIRY_LOOP
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
        let leases = self.leases().await?;
        if leases.is_empty() {
            return Err(unexpected("there is no lease to revoke"));
        }
        for lease in leases {
            self.ctl.run(&["lease", "revoke", &lease]).await?;
        }
        Ok(())
    }

    async fn delete_leader(&self, namespace: &str, election: &str) -> Result<()> {
        let key = self.leader_key(namespace, election).await?;
        self.delete(&key.ok_or_else(|| unexpected("there is no leader whose key could be deleted"))?).await
    }

    async fn delete_instance(&self, namespace: &str, service: &str, id: &str) -> Result<()> {
        self.delete(&format!("{namespace}/services/{service}/{id}")).await
    }

    async fn residue(&self, namespace: &str) -> Result<Vec<String>> {
        let domain = format!("{namespace}/domain");
        let mut left = self.keys(&format!("{namespace}/")).await?;
        left.retain(|key| *key != domain);
        left.extend(self.leases().await?.into_iter().map(|lease| format!("lease {lease}")));
        Ok(left)
    }

    async fn save(&self) -> Result<()> {
        self.server.save(&self.saved()).await
    }

    async fn restore(&self) -> Result<()> {
        self.server.restore(&self.saved()).await
    }

    async fn prepare(&self, _namespace: &str, _election: &str) -> Result<()> {
        Ok(())
    }

    async fn tally(&self) -> Result<Tally> {
        let counts = self.server.counts().await?;
        let writes = ["Txn", "Put", "DeleteRange"].map(|method| counts.method(method).calls).iter().sum();
        let logins = counts.method("Authenticate").calls;
        Ok(Tally { watches: counts.watches, writes, logins, ..Tally::default() })
    }

    async fn other(&self, setup: Setup) -> Result<Option<Box<dyn Stand>>> {
        let folder = folder();
        let other = match setup {
            Setup::IdleTokens => {
                let options = EtcdOptions::default().auth_token_ttl(guarded::IDLE);
                Self::guarded(options, folder).await
            }
            Setup::SignedTokens => {
                let flag = guarded::signed(folder.path());
                Self::guarded(EtcdOptions::default().flag(flag), folder).await
            }
            Setup::Certificate => Self::sealed(false).await,
            Setup::BothCertificates => Self::sealed(true).await,
        };
        Ok(Some(Box::new(other?)))
    }

    fn guard(&self) -> Option<&dyn Guard> {
        self.guard.as_ref().map(|guard| guard as &dyn Guard)
    }

    fn seal(&self) -> Option<&dyn Seal> {
        self.seal.as_ref().map(|seal| seal as &dyn Seal)
    }

    fn folder(&self) -> Option<&dyn Folder> {
        None
    }

    async fn defragment(&self) -> Result<()> {
        self.ctl.run(&["defrag"]).await.map(drop)
    }

    async fn compact(&self) -> Result<bool> {
        let read = self.ctl.run(&["get", "--write-out=fields", "compact"]).await?;
        let revision = read.stdout.lines().find_map(|line| line.strip_prefix("\"Revision\" : "));
        let Some(revision) = revision else { return Ok(false) };
        self.ctl.run(&["compact", revision.trim()]).await?;
        Ok(true)
    }
}
