//! Watchers of one service through one client, on a way of their own.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::StreamExt as _;
use reception::{Client, ClientExt as _, Service, Snapshot, Watcher};
use reception_lab::Proxy;
use reception_tests::{PATIENCE, patiently};
use tokio::time::timeout;

use crate::stage::{Bill, Stage, client, name};

pub(crate) struct Reader {
    pub(crate) way: Proxy,
    pub(crate) client: Arc<dyn Client>,
    service: &'static str,
    watchers: Vec<Box<dyn Watcher>>,
}

impl Reader {
    /// One watcher that has seen so many instances.
    pub(crate) async fn start(stage: &Stage, service: &'static str, size: usize) -> Self {
        let way = stage.way().await;
        let client = client(&way, "").await;
        let mut reader = Self { way, client, service, watchers: Vec::new() };
        reader.grow(1).await;
        assert_eq!(reader.view().len(), size);
        // A change that is seen shows that the stream is open.
        reader.follow(stage, 1).await;
        reader
    }

    /// More watchers, up to this number, each with its first view.
    pub(crate) async fn grow(&mut self, count: usize) {
        while self.watchers.len() < count {
            let watcher = patiently("watch", self.client.watch(&name(self.service))).await;
            self.watchers.push(watcher.expect("watches"));
        }
        self.reaches(1).await;
    }

    /// Takes items until every watcher's view has come to this revision.
    pub(crate) async fn reaches(&mut self, revision: u64) {
        for watcher in &mut self.watchers {
            while watcher.current().is_none_or(|view| view.revision() < revision) {
                let item = timeout(PATIENCE, watcher.next()).await.expect("an item in time");
                item.expect("a stream that goes on").expect("no error");
            }
        }
    }

    /// Takes items until the first watcher shows so many instances; how many views it was handed.
    pub(crate) async fn views(&mut self, size: usize) -> usize {
        let watcher = &mut self.watchers[0];
        let mut views = 0;
        while watcher.current().is_none_or(|view| view.len() != size) {
            let item = timeout(PATIENCE, watcher.next()).await.expect("an item in time");
            item.expect("a stream that goes on").expect("no error");
            views += 1;
        }
        views
    }

    async fn follow(&mut self, stage: &Stage, rounds: u64) -> u64 {
        stage.churn(self.service, rounds, async |revision| self.reaches(revision).await).await
    }

    /// What changes cost that every watcher sees, one after the other.
    pub(crate) async fn cost(&mut self, stage: &Stage, rounds: u64) -> Bill {
        let before = stage.mark(&self.way).await;
        let changes = self.follow(stage, rounds).await;
        stage.bill(&self.way, &before, changes).await
    }

    pub(crate) fn view(&self) -> &Snapshot {
        self.watchers[0].current().expect("a view")
    }

    /// What was cheap was also right: every watcher shows what a list reads.
    pub(crate) async fn must_be_right(&mut self) {
        let listed = patiently("list", self.client.list(&name(self.service))).await.expect("lists");
        let listed: BTreeSet<_> = listed.iter().map(text).collect();
        for watcher in &self.watchers {
            let seen: BTreeSet<_> = watcher.current().expect("a view").iter().map(text).collect();
            assert!(seen == listed, "a watcher shows {} instances, a list {}", seen.len(), listed.len());
        }
    }
}

fn text(service: &Service) -> String {
    format!("{service:?}")
}
