//! What the tests of this backend share: dialling, following a watch, and the server seen directly.

use std::{fmt::Display, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use futures_util::Stream;
use reception_core::{Change, Client, ClientExt, Dialer, Error, Service, ServiceName, Snapshot, Watcher};
use reception_lab::{Etcd, eventually};

pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Dials `etcd://ADDRESS/test?OPTIONS`.
pub(crate) async fn dial(address: impl Display, options: &str) -> Arc<dyn Client> {
    dial_url(&format!("etcd://{address}/test?{options}")).await.unwrap()
}

pub(crate) async fn dial_url(url: &str) -> Result<Arc<dyn Client>, Error> {
    Dialer::new().with(reception_etcd::BACKEND).unwrap().dial(url).await
}

pub(crate) async fn direct(etcd: &Etcd) -> etcd_client::Client {
    etcd_client::Client::connect([etcd.endpoint().to_string()], None).await.unwrap()
}

pub(crate) fn api() -> ServiceName {
    ServiceName::new("api").unwrap()
}

pub(crate) fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

pub(crate) fn ids(view: &Snapshot) -> Vec<String> {
    view.iter().map(|service| service.id().to_string()).collect()
}

/// Waits until a list shows these ids.
pub(crate) async fn listed(client: &Arc<dyn Client>, expected: &[&str]) {
    eventually(SOON, || async {
        match client.list(&api()).await {
            Ok(view) if ids(&view) == expected => Ok(()),
            Ok(view) => Err(format!("{:?}", ids(&view))),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap();
}

/// Waits until the store holds the instance in a state later than this revision.
pub(crate) async fn returned(store: &etcd_client::Client, id: &str, after: i64) {
    let key = format!("test/services/api/{id}");
    let there = || async {
        let read = store.kv_client().get(key.as_str(), None).await.map_err(|error| error.to_string())?;
        match read.kvs().first() {
            Some(kv) if kv.mod_revision() > after => Ok(()),
            found => Err(format!("{:?}, not after {after}", found.map(etcd_client::KeyValue::mod_revision))),
        }
    };
    eventually(SOON, there).await.unwrap();
}

/// A watch and what came of it.
pub(crate) struct Follower {
    watcher: Box<dyn Watcher>,
    pub(crate) resets: usize,
    pub(crate) patches: usize,
    pub(crate) stales: Vec<Error>,
    /// How often an instance went away, by patch or by reset.
    pub(crate) removals: usize,
}

impl Follower {
    pub(crate) async fn of(client: &Arc<dyn Client>) -> Self {
        let watcher = client.watch(&api()).await.unwrap();
        Self { watcher, resets: 0, patches: 0, stales: Vec::new(), removals: 0 }
    }

    async fn next(&mut self) {
        let before = self.watcher.current().map(ids).unwrap_or_default();
        let item = poll_fn(|cx| Pin::new(&mut self.watcher).poll_next(cx)).await;
        match item.expect("the watch ended").expect("the watch failed") {
            Change::Reset(_) => self.resets += 1,
            Change::Patch(_) => self.patches += 1,
            Change::Stale(error) => self.stales.push(error),
            _ => {}
        }
        let after = self.watcher.current().map(ids).unwrap_or_default();
        self.removals += before.iter().filter(|id| !after.contains(id)).count();
    }

    /// Follows until the view fits; a stale view does not.
    pub(crate) async fn until(&mut self, what: &str, mut fits: impl FnMut(&Snapshot) -> bool) {
        let seen = tokio::time::timeout(SOON, async {
            loop {
                let stales = self.stales.len();
                self.next().await;
                if self.stales.len() == stales && self.watcher.current().is_some_and(&mut fits) {
                    return;
                }
            }
        });
        if seen.await.is_err() {
            panic!("{what}: not within {SOON:?}; {:?}, {:?}", self.watcher.current().map(ids), self.stales);
        }
    }

    pub(crate) async fn shows(&mut self, expected: &[&str]) {
        self.until(&format!("{expected:?}"), |view| ids(view) == expected).await;
    }

    pub(crate) async fn stale(&mut self) {
        let before = self.stales.len();
        tokio::time::timeout(SOON, async {
            while self.stales.len() == before {
                self.next().await;
            }
        })
        .await
        .expect("it was never stale");
    }
}
