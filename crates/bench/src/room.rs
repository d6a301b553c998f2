//! One run's part of the store: its namespace, the clients that go there, and the instances that are there before.

mod consul;
mod etcd;
mod writer;
mod zookeeper;

use std::{net::SocketAddr, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use reception::{Client, ClientExt, Registration};

use crate::{
    Result,
    record::{SERVICE, id, name, service},
    report::Line,
    stage::Stage,
    store::Store,
    way::Way,
};

pub(crate) use writer::Writer;
pub(crate) use zookeeper::{EPHEMERAL, pages};

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

    /// Makes what is there before everything else.
    pub(crate) async fn enter(&self) -> Result<()> {
        match self.store() {
            Store::Memory | Store::Etcd | Store::Consul => Ok(()),
            Store::ZooKeeper => self.make_folder(&self.prefix()).await,
        }
    }

    pub(crate) fn store(&self) -> Store {
        self.stage.store()
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
        Ok(reception::dial(&self.url(address, options)).await?)
    }

    /// What that client dials.
    pub(crate) fn url(&self, address: SocketAddr, options: &str) -> String {
        let (user, namespace) = (self.stage.credentials(), &self.namespace);
        match self.store() {
            Store::Memory => format!("memory://bench/{namespace}"),
            store => format!("{}://{user}{address}/{namespace}{options}", store.scheme()),
        }
    }

    /// What stands before the id in an instance's key; the folder of a ZooKeeper's instances.
    pub(crate) fn prefix(&self) -> String {
        match self.store() {
            Store::ZooKeeper => format!("/{}/{SERVICE}", self.namespace),
            Store::Etcd | Store::Memory | Store::Consul => format!("{}/services/{SERVICE}/", self.namespace),
        }
    }

    pub(crate) fn key(&self, number: usize) -> String {
        match self.store() {
            Store::ZooKeeper => format!("{}/{}", self.prefix(), id(number)),
            Store::Etcd | Store::Memory | Store::Consul => format!("{}{}", self.prefix(), id(number)),
        }
    }

    /// A key beside the services.
    pub(crate) fn beside(&self, path: &str) -> String {
        match self.store() {
            Store::ZooKeeper => format!("/{}-{path}", self.namespace),
            Store::Etcd | Store::Memory | Store::Consul => format!("{}/{path}", self.namespace),
        }
    }

    /// Puts instances into the store, directly and in batches.
    pub(crate) async fn preload(&self, count: usize) -> Result<Population> {
        match self.store() {
            Store::Etcd => self.preload_etcd(count).await?,
            Store::ZooKeeper => return self.preload_zookeeper(count).await,
            Store::Memory | Store::Consul => {
                let client = self.direct().await?;
                let guards = (0..count).map(|number| {
                    let client = &client;
                    async move { Ok::<_, crate::Failure>(client.register(service(number)?).await?) }
                });
                let guards = stream::iter(guards).buffer_unordered(64).try_collect().await?;
                return Ok(Population { _guards: guards, _client: Some(client), _session: None });
            }
        }
        Ok(Population::default())
    }

    /// Fails unless the store holds so many instances.
    pub(crate) async fn holds(&self, count: usize) -> Result<()> {
        let found = match self.store() {
            Store::ZooKeeper => self.count_zookeeper().await?,
            Store::Consul => self.count_consul().await?,
            Store::Etcd | Store::Memory => self.count_etcd().await?,
        };
        if found == count {
            return Ok(());
        }
        Err(format!("the store holds {found} instances where {count} should be").into())
    }

    /// Ends the run: nothing of it stays on the server.
    pub(crate) async fn leave(self) -> Result<()> {
        match self.store() {
            Store::Memory => Ok(()),
            Store::Etcd => self.leave_etcd().await,
            Store::ZooKeeper => self.leave_zookeeper().await,
            Store::Consul => self.leave_consul().await,
        }
    }
}

/// Keeps what was put there.
#[derive(Debug, Default)]
pub(crate) struct Population {
    _guards: Vec<Registration>,
    _client: Option<Arc<dyn Client>>,
    _session: Option<zookeeper_client::Client>,
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
