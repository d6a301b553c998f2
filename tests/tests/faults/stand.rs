//! The hooks into one kind of server: what a backend brings to play the scenarios.

use std::{net::SocketAddr, time::Duration};

use reception::async_trait;
use reception_lab::Result;

/// One running server of a kind, alone in its scenario.
#[async_trait]
pub(crate) trait Stand: Send + Sync {
    /// Where the server listens, for a proxy in front of it.
    fn endpoint(&self) -> SocketAddr;

    /// The URL that dials the server, or a proxy in front of it, at `endpoint`.
    fn url(&self, endpoint: SocketAddr, namespace: &str, ttl: Duration) -> String;

    /// The ttl that the store will grant when asked for this one.
    fn granted(&self, asked: Duration) -> Duration;

    /// How long the store may take to notice a death, beyond the granted ttl.
    fn expiry_slack(&self) -> Duration;

    /// Kills the server (SIGKILL).
    fn kill(&self);

    /// Kills it if it runs, and starts it again with its data; ready when it answers.
    async fn restart(&self) -> Result<()>;

    /// As `restart`, without its data.
    async fn wipe(&self) -> Result<()>;

    /// Freezes the server: connections stay open and silent.
    fn pause(&self) -> Result<()>;

    /// Thaws it.
    fn resume(&self) -> Result<()>;

    /// Ends every lease or session that holds something of the namespace, as an operator would.
    async fn revoke(&self, namespace: &str) -> Result<()>;

    /// Deletes the key of the leader of an election while its lease lives.
    async fn delete_leader(&self, namespace: &str, election: &str) -> Result<()>;

    /// Deletes the key of an instance while its lease lives.
    async fn delete_instance(&self, namespace: &str, service: &str, id: &str) -> Result<()>;

    /// What the store holds of the namespace now: records, candidates, leases; without what is shared.
    async fn residue(&self, namespace: &str) -> Result<Vec<String>>;

    /// Forgets the history before now, so that a watch from the past must be refused; false where a store keeps none.
    async fn compact(&self) -> Result<bool>;
}
