//! One run's part of the store: its namespace, the clients that go there, and the instances that are there before.

use std::{net::SocketAddr, sync::Arc};

use etcd_client::{DeleteOptions, GetOptions, PutOptions, Txn, TxnOp};
use futures_util::{StreamExt, TryStreamExt, stream};
use reception::{Client, ClientExt, Registration};

use crate::{
    Result,
    record::{EXTRA, SERVICE, id, name, record, service},
    report::Line,
    stage::Stage,
    way::Way,
};

/// Seconds; a run that was cut short leaves nothing for longer.
const LEASE: i64 = 600;
/// Keys of a lease, as many as our own leases carry: a put on a lease with more is slower.
const KEYS: usize = 256;
/// Writes of one transaction.
const BATCH: usize = 100;

#[derive(Debug)]
pub(crate) struct Room<'a> {
    stage: &'a Stage,
    counting: bool,
    namespace: String,
    pub(crate) way: Way,
}

impl<'a> Room<'a> {
    pub(crate) fn new(stage: &'a Stage, counting: bool, namespace: String, way: Way) -> Self {
        Self { stage, counting, namespace, way }
    }

    pub(crate) fn line(&self, bench: &str) -> Line {
        Line::new(bench, self.counting)
    }

    /// Whether this run counts, and is not timed.
    pub(crate) fn is_counting(&self) -> bool {
        self.counting
    }

    /// A client that goes the room's way.
    pub(crate) async fn client(&self, options: &str) -> Result<Arc<dyn Client>> {
        self.dial(self.way.address(), options).await
    }

    /// A client that is not counted.
    pub(crate) async fn direct(&self) -> Result<Arc<dyn Client>> {
        self.direct_with("").await
    }

    pub(crate) async fn direct_with(&self, options: &str) -> Result<Arc<dyn Client>> {
        self.dial(self.stage.address(), options).await
    }

    /// A client that goes by this address, such as a proxy's.
    pub(crate) async fn dial(&self, address: SocketAddr, options: &str) -> Result<Arc<dyn Client>> {
        let (user, namespace) = (self.stage.credentials(), &self.namespace);
        let url = if self.stage.is_local() {
            format!("memory://bench/{namespace}")
        } else {
            format!("etcd://{user}{address}/{namespace}{options}")
        };
        Ok(reception::dial(&url).await?)
    }

    /// A connection without the library, the room's way.
    pub(crate) async fn raw(&self) -> Result<Box<etcd_client::Client>> {
        self.stage.connect(self.way.address()).await
    }

    /// The same, not counted.
    pub(crate) async fn raw_direct(&self) -> Result<Box<etcd_client::Client>> {
        self.stage.connect(self.stage.address()).await
    }

    pub(crate) fn prefix(&self) -> String {
        format!("{}/services/{SERVICE}/", self.namespace)
    }

    pub(crate) fn key(&self, number: usize) -> String {
        format!("{}{}", self.prefix(), id(number))
    }

    /// A key beside the services.
    pub(crate) fn beside(&self, path: &str) -> String {
        format!("{}/{path}", self.namespace)
    }

    pub(crate) async fn lease(&self, client: &mut etcd_client::Client) -> Result<i64> {
        let lease = client.lease_grant(LEASE, None).await?.id();
        self.stage.note(lease);
        Ok(lease)
    }

    /// Leases for so many keys, none of them crowded.
    pub(crate) async fn leases(&self, client: &mut etcd_client::Client, keys: usize) -> Result<Vec<i64>> {
        let mut leases = Vec::new();
        for _ in 0..keys.div_ceil(KEYS) {
            leases.push(self.lease(client).await?);
        }
        Ok(leases)
    }

    /// Puts instances into the store, directly and in batches.
    pub(crate) async fn preload(&self, count: usize) -> Result<Population> {
        if self.stage.is_local() {
            let client = self.direct().await?;
            let guards = (0..count).map(|number| {
                let client = &client;
                async move { Ok::<_, crate::Failure>(client.register(service(number)?).await?) }
            });
            let guards = stream::iter(guards).buffer_unordered(64).try_collect().await?;
            return Ok(Population { _guards: guards, _client: Some(client) });
        }
        let mut client = self.raw_direct().await?;
        let leases = self.leases(&mut client, count).await?;
        let numbers: Vec<usize> = (0..count).collect();
        for batch in numbers.chunks(BATCH) {
            client.txn(self.batch(batch, &leases)).await?;
        }
        Ok(Population { _guards: Vec::new(), _client: None })
    }

    /// One transaction that writes these instances.
    pub(crate) fn batch(&self, numbers: &[usize], leases: &[i64]) -> Txn {
        let puts = numbers.iter().map(|&number| {
            let options = PutOptions::new().with_lease(leases[number / KEYS]);
            TxnOp::put(self.key(number), record(number), Some(options))
        });
        Txn::new().and_then(puts.collect::<Vec<_>>())
    }

    /// The lease of this instance, and none of a burst's is crowded.
    pub(crate) fn lease_of(leases: &[i64], number: usize) -> i64 {
        leases[number / KEYS]
    }

    /// Fails unless the store holds so many instances.
    pub(crate) async fn holds(&self, count: usize) -> Result<()> {
        let mut client = self.raw_direct().await?;
        let options = GetOptions::new().with_prefix().with_count_only();
        let found = client.get(self.prefix(), Some(options)).await?.count();
        if usize::try_from(found) == Ok(count) {
            return Ok(());
        }
        Err(format!("the store holds {found} instances where {count} should be").into())
    }

    /// Takes away the run's records, not their leases: `note` keeps those.
    pub(crate) async fn wipe(&self) -> Result<()> {
        let mut client = self.raw_direct().await?;
        client.delete(self.prefix(), Some(DeleteOptions::new().with_prefix())).await?;
        Ok(())
    }

    /// Ends the run: nothing of it stays on the server.
    pub(crate) async fn leave(self) -> Result<()> {
        if self.stage.is_local() {
            return Ok(());
        }
        self.stage.clear_leases().await?;
        let mut client = self.raw_direct().await?;
        client.delete(format!("{}/", self.namespace), Some(DeleteOptions::new().with_prefix())).await?;
        Ok(())
    }
}

/// Keeps what was put there.
#[derive(Debug)]
pub(crate) struct Population {
    _guards: Vec<Registration>,
    _client: Option<Arc<dyn Client>>,
}

/// Who makes the changes that a watcher sees: on a server somebody else, so that only the watcher is ours.
pub(crate) enum Writer {
    Memory(Arc<dyn Client>, Option<Registration>),
    Raw(Box<etcd_client::Client>, i64),
}

impl Writer {
    pub(crate) async fn new(room: &Room<'_>) -> Result<Self> {
        if room.stage.is_local() {
            return Ok(Self::Memory(room.direct().await?, None));
        }
        let mut client = room.raw_direct().await?;
        let lease = room.lease(&mut client).await?;
        Ok(Self::Raw(client, lease))
    }

    /// Adds one instance.
    pub(crate) async fn add(&mut self, room: &Room<'_>, number: usize) -> Result<()> {
        match self {
            Self::Memory(client, guard) => *guard = Some(client.register(service(EXTRA + number)?).await?),
            Self::Raw(client, lease) => {
                let options = PutOptions::new().with_lease(*lease);
                client.put(room.key(EXTRA + number), record(EXTRA + number), Some(options)).await?;
            }
        }
        Ok(())
    }

    /// Removes the one that was added last.
    pub(crate) async fn remove(&mut self, room: &Room<'_>, number: usize) -> Result<()> {
        match self {
            Self::Memory(_, guard) => {
                if let Some(guard) = guard.take() {
                    guard.close().await?;
                }
            }
            Self::Raw(client, _) => drop(client.delete(room.key(EXTRA + number), None).await?),
        }
        Ok(())
    }
}

/// Fails unless a view is what a fresh list tells.
pub(crate) async fn same(room: &Room<'_>, view: &reception::Snapshot) -> Result<()> {
    let client = room.direct().await?;
    let list = client.list(&name()?).await?;
    client.close().await?;
    let difference = view.diff(&list);
    if difference.is_empty() {
        return Ok(());
    }
    Err(format!("the view differs from a fresh list: {difference:?}").into())
}
