//! A real ZooKeeper: one for all that leave it alone, and one for each case that breaks it.

use std::{any::Any, path::Path, sync::Arc, time::Duration};

use reception::async_trait;
use reception_lab::{Error, Result, ZooKeeper};
use zookeeper_client::{Acls, Client, CreateMode, Error as Native};

use super::{
    Opening, Store,
    shared::{Shared, namespace},
};

static SHARED: Shared<ZooKeeper> = Shared::new();

pub(super) struct Place {
    server: Arc<ZooKeeper>,
    namespace: String,
}

#[cfg_attr(not(feature = "zookeeper"), expect(dead_code, reason = "asked for by the row of ZooKeeper alone"))]
pub(crate) fn zookeeper_missing() -> Option<String> {
    let home = std::env::var_os("ZOOKEEPER_HOME").is_some();
    let jar = Path::new("/usr/share/java/zookeeper.jar");
    (!home && !jar.is_file()).then(|| format!("no {}", jar.display()))
}

#[cfg_attr(not(feature = "zookeeper"), expect(dead_code, reason = "asked for by the row of ZooKeeper alone"))]
pub(crate) fn zookeeper(own: bool) -> Opening {
    Box::pin(async move {
        let place: Box<dyn Store> = Box::new(place(own).await?);
        Ok(place)
    })
}

pub(super) async fn place(own: bool) -> Result<Place> {
    let server = SHARED.get(own, ZooKeeper::start()).await?;
    Ok(Place { server, namespace: namespace() })
}

fn native(wrong: &Native) -> Error {
    Error::Unexpected { what: format!("the operator: {wrong}") }
}

impl Place {
    pub(super) fn server(&self) -> &ZooKeeper {
        &self.server
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    async fn operator(&self) -> Result<Client> {
        let connector = Client::connector().with_session_timeout(Duration::from_secs(30));
        connector.connect(&self.server.endpoint().to_string()).await.map_err(|wrong| native(&wrong))
    }

    fn candidates(&self, election: &str) -> String {
        format!("/{}-elections/{election}", self.namespace)
    }

    /// The candidates, first in line first.
    async fn line(&self, operator: &Client, election: &str) -> Result<Vec<String>> {
        let folder = self.candidates(election);
        let mut line = operator.list_children(&folder).await.map_err(|wrong| native(&wrong))?;
        line.sort_by_key(|child| child.rsplit_once('-').map(|(_, sequence)| sequence.to_owned()));
        Ok(line.into_iter().map(|child| format!("{folder}/{child}")).collect())
    }
}

#[async_trait]
impl Store for Place {
    fn url(&self) -> String {
        format!("zk://{}/{}?ttl=2s&timeout=3s", self.server.endpoint(), self.namespace)
    }

    fn patient_url(&self) -> String {
        self.url().replace("ttl=2s", "ttl=60s")
    }

    fn endpoint(&self) -> String {
        self.server.endpoint().to_string()
    }

    fn kill(&self) {
        self.server.kill();
    }

    async fn restart(&self) -> Result<()> {
        self.server.restart().await
    }

    fn freeze(&self) {
        self.server.pause().expect("a server to freeze");
    }

    fn thaw(&self) {
        self.server.resume().expect("a server to thaw");
    }

    async fn revoke(&self, election: &str) -> Result<()> {
        let operator = self.operator().await?;
        let line = self.line(&operator, election).await?;
        let first = line.first().expect("a leader");
        operator.delete(first, None).await.map_err(|wrong| native(&wrong))
    }

    async fn stranger(&self, election: &str, value: &str) -> Result<Box<dyn Any + Send>> {
        let operator = self.operator().await?;
        let folder = CreateMode::Persistent.with_acls(Acls::anyone_all());
        operator.mkdir(&self.candidates(election), &folder).await.map_err(|wrong| native(&wrong))?;
        let path = format!("{}/_c_stranger-latch-", self.candidates(election));
        let options = CreateMode::EphemeralSequential.with_acls(Acls::anyone_all());
        operator.create(&path, value.as_bytes(), &options).await.map_err(|wrong| native(&wrong))?;
        // Its session ends with it.
        Ok(Box::new(operator))
    }
}
