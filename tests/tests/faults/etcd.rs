//! The stand of etcd: one server, and its own command line as the operator.

use std::{net::SocketAddr, time::Duration};

use reception::async_trait;
use reception_lab::{Etcd, Etcdctl, Result};

use crate::stand::Stand;

/// The lessor looks for expired leases twice a second (etcd `server/lease/lessor.go`).
const EXPIRY_LOOP: Duration = Duration::from_millis(500);

/// The least ttl that etcd grants: one and a half election timeouts, rounded up (etcd `server/etcdserver/server.go`).
const LEAST_TTL: Duration = Duration::from_secs(2);

struct Stood {
    server: Etcd,
    ctl: Etcdctl,
}

/// Starts the server of one scenario.
pub(crate) async fn stand(_number: u8) -> std::result::Result<Box<dyn Stand>, String> {
    let server = Etcd::start().await.map_err(|error| error.to_string())?;
    let ctl = server.ctl().map_err(|error| error.to_string())?;
    Ok(Box::new(Stood { server, ctl }))
}

impl Stood {
    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let read = self.ctl.run(&["get", "--prefix", "--keys-only", prefix]).await?;
        Ok(read.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    async fn leases(&self) -> Result<Vec<String>> {
        let read = self.ctl.run(&["lease", "list"]).await?;
        let is_lease = |line: &&str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(read.stdout.lines().map(str::trim).filter(is_lease).map(str::to_owned).collect())
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

#[async_trait]
impl Stand for Stood {
    fn endpoint(&self) -> SocketAddr {
        self.server.endpoint()
    }

    fn url(&self, endpoint: SocketAddr, namespace: &str, ttl: Duration) -> String {
        format!("etcd://{endpoint}/{namespace}?ttl={}ms", ttl.as_millis())
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
        for lease in self.leases().await? {
            self.ctl.run(&["lease", "revoke", &lease]).await?;
        }
        Ok(())
    }

    async fn delete_leader(&self, namespace: &str, election: &str) -> Result<()> {
        if let Some(key) = self.leader_key(namespace, election).await? {
            self.ctl.run(&["del", &key]).await?;
        }
        Ok(())
    }

    async fn delete_instance(&self, namespace: &str, service: &str, id: &str) -> Result<()> {
        self.ctl.run(&["del", &format!("{namespace}/services/{service}/{id}")]).await.map(drop)
    }

    async fn residue(&self, namespace: &str) -> Result<Vec<String>> {
        let domain = format!("{namespace}/domain");
        let mut left = self.keys(&format!("{namespace}/")).await?;
        left.retain(|key| *key != domain);
        left.extend(self.leases().await?.into_iter().map(|lease| format!("lease {lease}")));
        Ok(left)
    }

    async fn compact(&self) -> Result<bool> {
        let read = self.ctl.run(&["get", "--write-out=fields", "compact"]).await?;
        let revision = read.stdout.lines().find_map(|line| line.strip_prefix("\"Revision\" : "));
        if let Some(revision) = revision {
            self.ctl.run(&["compact", revision.trim()]).await?;
        }
        Ok(true)
    }
}
