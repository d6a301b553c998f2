//! What the tests of this crate share: an instance, what happened to it, and what a probe says.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use reception_core::{
    BoxStream, Change, Client, Dialer, Registration, RegistrationState, Result, Service, ServiceName, Watcher,
};
use reception_lab::eventually;

pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) fn api() -> ServiceName {
    ServiceName::new("api").unwrap()
}

pub(crate) fn instance(id: &str) -> Service {
    Service::builder("api", "10.0.0.7", 8080).id(id).build().unwrap()
}

pub(crate) async fn dial(url: &str) -> Result<Arc<dyn Client>> {
    Dialer::new().with(reception_exhibitor::BACKEND)?.dial(url).await
}

/// What a client's probe tells: the server of the store, and the notes.
pub(crate) async fn told(client: &Arc<dyn Client>) -> (String, String) {
    match client.probe().await {
        Ok(probe) => (probe.endpoints[0].address.clone(), probe.notes.join("; ")),
        Err(error) => (String::new(), error.to_string()),
    }
}

/// Waits until the notes of the probe hold this.
pub(crate) async fn notes(client: &Arc<dyn Client>, words: &[&str]) {
    eventually(SOON, || async {
        let (_, notes) = told(client).await;
        if words.iter().all(|word| notes.contains(word)) { Ok(()) } else { Err(notes) }
    })
    .await
    .unwrap();
}

/// What a registration and a watch were told since somebody looked.
pub(crate) struct Witness {
    states: BoxStream<RegistrationState>,
    watcher: Box<dyn Watcher>,
    seen: Vec<String>,
}

impl Witness {
    pub(crate) fn new(registration: &Registration, watcher: Box<dyn Watcher>) -> Self {
        Self { states: registration.changes(), watcher, seen: Vec::new() }
    }

    /// Takes in what has come; no view may ever lack the instances.
    pub(crate) fn look(&mut self, ids: &[&str]) {
        while let Some(Some(state)) = self.states.next().now_or_never() {
            if !matches!(state, RegistrationState::Active) {
                self.seen.push(format!("{state:?}"));
            }
        }
        while let Some(Some(change)) = self.watcher.next().now_or_never() {
            if let Change::Stale(error) = change.unwrap() {
                self.seen.push(error.to_string());
            }
            let Some(view) = self.watcher.current() else { continue };
            let shown: Vec<&str> = view.iter().map(|service| service.id().as_str()).collect();
            assert_eq!(shown, ids, "an instance went away");
        }
    }

    /// Waits until the instances are shown.
    pub(crate) async fn shows(&mut self, ids: &[&str]) {
        let shown = tokio::time::timeout(SOON, async {
            while let Some(change) = self.watcher.next().await {
                drop(change.unwrap());
                let view = self.watcher.current();
                if view.is_some_and(|view| {
                    view.iter().map(|service| service.id().as_str()).eq(ids.iter().copied())
                }) {
                    return;
                }
            }
        });
        shown.await.unwrap();
        self.look(ids);
        self.seen.clear();
    }

    /// Nothing at all was noticed.
    pub(crate) fn saw_nothing(&mut self, ids: &[&str]) {
        self.look(ids);
        assert!(self.seen.is_empty(), "{:?}", self.seen);
    }
}
