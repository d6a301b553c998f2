//! A room on ZooKeeper, by its driver alone.

use std::{net::SocketAddr, time::Duration};

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error};

use super::{Population, Room};
use crate::{Result, record::curator, stage::Stage};

/// As long as a session of ours lives unless it is told otherwise: both send as many pings.
const SESSION: Duration = Duration::from_secs(10);
/// Nodes of one request.
const BATCH: usize = 500;
/// What stood on a session that has just ended is gone by then.
const GONE: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(20);

pub(crate) const EPHEMERAL: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
const FOLDER: CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());

/// So many numbers, in the parts that go together.
pub(crate) fn pages(count: usize, size: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..count).step_by(size).map(move |from| from..count.min(from + size))
}

impl Room<'_> {
    /// A session without the library, the room's way.
    pub(crate) async fn zookeeper(&self) -> Result<Client> {
        self.stage.zookeeper(self.way.address()).await
    }

    /// The same, not counted.
    pub(crate) async fn zookeeper_direct(&self) -> Result<Client> {
        self.stage.zookeeper(self.stage.address()).await
    }

    pub(crate) async fn make_folder(&self, path: &str) -> Result<()> {
        Ok(self.zookeeper_direct().await?.mkdir(path, &FOLDER).await?)
    }

    /// On a session of its own, which ends with the population.
    pub(super) async fn preload_zookeeper(&self, count: usize) -> Result<Population> {
        let client = self.zookeeper_direct().await?;
        for page in pages(count, BATCH) {
            let mut writer = client.new_multi_writer();
            for number in page {
                writer.add_create(&self.key(number), &curator(number), &EPHEMERAL)?;
            }
            writer.commit().await?;
        }
        Ok(Population { _session: Some(client), ..Population::default() })
    }

    pub(super) async fn count_zookeeper(&self) -> Result<usize> {
        Ok(children(&self.zookeeper_direct().await?, &self.prefix()).await?.len())
    }

    pub(super) async fn leave_zookeeper(self) -> Result<()> {
        for tree in [format!("/{}", self.namespace), format!("/{}-elections", self.namespace)] {
            self.stage.clear_zookeeper(&tree).await?;
        }
        Ok(())
    }
}

impl Stage {
    pub(crate) async fn zookeeper(&self, address: SocketAddr) -> Result<Client> {
        let connector = Client::connector().with_session_timeout(SESSION);
        Ok(connector.connect(&address.to_string()).await?)
    }

    /// Removes a tree, waiting for sessions that end.
    pub(crate) async fn clear_zookeeper(&self, tree: &str) -> Result<()> {
        let client = self.zookeeper(self.address).await?;
        let end = Instant::now() + GONE;
        loop {
            match remove(&client, tree).await {
                Err(Error::NotEmpty) if Instant::now() < end => sleep(RETRY).await,
                done => return Ok(done?),
            }
        }
    }
}

async fn children(client: &Client, path: &str) -> Result<Vec<String>, Error> {
    match client.list_children(path).await {
        Err(Error::NoNode) => Ok(Vec::new()),
        listed => listed,
    }
}

async fn remove(client: &Client, tree: &str) -> Result<(), Error> {
    // Each folder comes after the one that it lies in.
    let mut folders = vec![tree.to_owned()];
    let mut at = 0;
    while let Some(folder) = folders.get(at).cloned() {
        let mut below = Vec::new();
        for child in children(client, &folder).await? {
            below.push(format!("{folder}/{child}"));
        }
        for page in pages(below.len(), BATCH) {
            let full = try_join_all(below[page].iter().map(|path| async move {
                match client.delete(path, None).await {
                    Ok(()) | Err(Error::NoNode) => Ok(None),
                    Err(Error::NotEmpty) => Ok(Some(path.clone())),
                    Err(wrong) => Err(wrong),
                }
            }));
            folders.extend(full.await?.into_iter().flatten());
        }
        at += 1;
    }
    for folder in folders.iter().rev() {
        match client.delete(folder, None).await {
            Ok(()) | Err(Error::NoNode) => {}
            Err(wrong) => return Err(wrong),
        }
    }
    Ok(())
}
