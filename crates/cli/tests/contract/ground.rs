//! What a case finds: a place in a store, a folder, and the usual calls.

use std::path::{Path, PathBuf};

use reception_lab::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    call::Call,
    plan::Size,
    row::Row,
    run::{Ended, LIMIT, Run},
    stores::Store,
};

pub(crate) struct Ground {
    pub(crate) row: &'static Row,
    pub(crate) store: Box<dyn Store>,
    pub(crate) size: Size,
    desk: TempDir,
}

impl Ground {
    pub(crate) async fn new(row: &'static Row, own: bool, size: Size) -> Self {
        let store = (row.open)(own).await.expect("a place in a store");
        let desk = tempfile::Builder::new().prefix("reception-desk-").tempdir().expect("a folder");
        Self { row, store, size, desk }
    }

    /// A folder for files of the case.
    pub(crate) fn desk(&self) -> &Path {
        self.desk.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.desk.path().join(name)
    }

    /// A call on this store, with JSON.
    pub(crate) fn call(&self, words: &str) -> Call {
        Call::on(&self.store.url(), self.desk(), words)
    }

    /// `register` of an instance of `api`; more words as they are.
    pub(crate) fn register(&self, id: &str, more: &str) -> Call {
        self.call(&format!("register api --address 127.0.0.1 --port 8080 --id {id} {more}"))
    }

    /// One that is registered.
    pub(crate) async fn registered(&self, id: &str, more: &str) -> Run {
        let mut run = self.register(id, more).start();
        run.event("registered").await;
        run
    }

    /// A candidate of `nightly`; more words as they are.
    pub(crate) fn elect(&self, id: &str, more: &str) -> Call {
        self.call(&format!("elect nightly --address 127.0.0.1 --id {id} {more}"))
    }

    /// One that leads, and its token.
    pub(crate) async fn elected(&self, id: &str, more: &str) -> (Run, Value) {
        let mut run = self.elect(id, more).start();
        run.event("candidate").await;
        let token = run.event("elected").await["token"].clone();
        (run, token)
    }

    /// One that leads with this child, which is up, and its token.
    pub(crate) async fn elected_with(&self, id: &str, more: &str, child: &str) -> (Run, Value) {
        let mut run = self.elect(id, more).child(child).start();
        run.event("candidate").await;
        let token = run.event("elected").await["token"].clone();
        assert_eq!(run.next().await, json!({"child": "up"}));
        (run, token)
    }

    /// What `list` with these words prints.
    pub(crate) async fn list(&self, words: &str) -> Vec<Value> {
        let ended = self.call(&format!("list {words}")).end().await;
        // A store may have a warning, such as one that everybody may write to.
        assert!(ended.code == 0 && !ended.err.contains("error: "), "{ended:?}");
        ended.json()
    }

    /// The ids of `api` as `list` prints them.
    pub(crate) async fn ids(&self) -> Vec<String> {
        texts(&self.list("api").await, "id")
    }

    /// Waits until `list` shows these ids.
    pub(crate) async fn shows(&self, ids: &[&str]) {
        let shown = || async {
            let seen = self.ids().await;
            if seen == ids { Ok(()) } else { Err(seen) }
        };
        eventually(LIMIT, shown).await.expect("the living ones in the list");
    }

    /// `leader nightly`, to its end.
    pub(crate) async fn leader(&self) -> Ended {
        self.call("leader nightly").end().await
    }
}

/// One field of each.
pub(crate) fn texts(values: &[Value], field: &str) -> Vec<String> {
    values.iter().map(|value| value[field].as_str().expect("a text").to_owned()).collect()
}

/// The line that says that the store has agreed.
pub(crate) fn is_deregistered(value: &Value, id: &str, reason: &str) {
    assert_eq!(*value, json!({"event": "deregistered", "id": id, "reason": reason}));
}
