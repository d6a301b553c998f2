//! A real Consul: one agent for all that leave it alone, and one for each case that breaks it.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use reception::async_trait;
use reception_lab::{Consul, ConsulOptions, Error, Result};
use tokio::sync::OnceCell;

use super::{Opening, Store};

/// The agent that cases share; it ends with the test process.
static SHARED: OnceCell<Arc<Consul>> = OnceCell::const_new();
static PLACES: AtomicU32 = AtomicU32::new(0);

struct Place {
    server: Arc<Consul>,
    namespace: String,
}

pub(crate) fn consul_missing() -> Option<String> {
    Consul::missing().map(|missing| missing.to_string())
}

async fn start() -> Result<Arc<Consul>> {
    Ok(Arc::new(Consul::start_with(ConsulOptions::default().durable(true)).await?))
}

pub(crate) fn consul(own: bool) -> Opening {
    Box::pin(async move {
        let server = if own { start().await? } else { Arc::clone(SHARED.get_or_try_init(start).await?) };
        let namespace = format!("contract-{}", PLACES.fetch_add(1, Ordering::Relaxed));
        let place: Box<dyn Store> = Box::new(Place { server, namespace });
        Ok(place)
    })
}

#[async_trait]
impl Store for Place {
    fn url(&self) -> String {
        format!("consul://{}/{}?ttl=2s&election_ttl=2s&timeout=3s", self.server.endpoint(), self.namespace)
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
        self.server.pause().expect("an agent to freeze");
    }

    fn thaw(&self) {
        self.server.resume().expect("an agent to thaw");
    }

    async fn revoke(&self, election: &str) -> Result<()> {
        let key = format!("/v1/kv/{}/{election}/.lock", self.namespace);
        self.server.api().ask("DELETE", &key, "").await.map(drop)
    }

    async fn stranger(&self, election: &str, value: &str) -> Result<Box<dyn Any + Send>> {
        let api = self.server.api();
        let made =
            api.put("/v1/session/create", r#"{"TTL":"60s","Behavior":"delete","NodeChecks":[]}"#).await?;
        let session = made.split('"').nth(3).unwrap_or_default();
        let key = format!("/v1/kv/{}/{election}/.lock", self.namespace);
        let taken = api.put(&format!("{key}?acquire={session}&flags=3304740253564472344"), value).await?;
        if taken.trim() != "true" {
            return Err(Error::Unexpected { what: format!("the lock was not given: {taken}") });
        }
        Ok(Box::new(Stranger { server: Arc::clone(&self.server), session: session.to_owned() }))
    }
}

/// Holds a lock until it is dropped.
struct Stranger {
    server: Arc<Consul>,
    session: String,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let (api, path) = (self.server.api(), format!("/v1/session/destroy/{}", self.session));
        // On a thread of its own: a case drops it inside its runtime.
        let ended =
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.expect("a runtime");
                drop(runtime.block_on(async {
                    tokio::time::timeout(Duration::from_secs(10), api.put(&path, "")).await
                }));
            });
        drop(ended.join());
    }
}
