//! Writes, each carried out to its end, and those of one key one after the other.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use reception_core::Result;
use tokio::sync::{Mutex, Semaphore, oneshot};

use super::{Answer, Call, Http};

const REGISTER: &str = "/v1/agent/service/register";
/// Keys that are remembered before those that nobody writes are forgotten.
const MOST: usize = 256;

/// Where writes wait for each other.
pub(super) struct Gates {
    /// An agent does not tell the servers anything while it takes a registration: several that come without a pause keep it from that for long.
    alone: Semaphore,
    /// One for each key that is being written.
    keys: std::sync::Mutex<HashMap<String, Weak<Mutex<()>>>>,
}

impl Gates {
    pub(super) fn new() -> Self {
        Self { alone: Semaphore::new(1), keys: std::sync::Mutex::default() }
    }

    fn of(&self, key: &str) -> Arc<Mutex<()>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = keys.get(key).and_then(Weak::upgrade) {
            return gate;
        }
        if keys.len() >= MOST {
            keys.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::default();
        keys.insert(key.to_owned(), Arc::downgrade(&gate));
        gate
    }
}

impl Http {
    /// Carries out a call that changes something, to its end, also when nobody waits for the answer any more. Calls of one key are carried out one after the
    /// other: nothing that was sent before can land after.
    pub(crate) async fn carry(&self, key: &str, call: Call, limit: Duration) -> Result<Answer> {
        let turn = self.inner.gates.of(key).lock_owned().await;
        let (tell, hear) = oneshot::channel();
        let (http, operation) = (self.clone(), call.operation);
        self.inner.back.spawn("write", async move {
            let work = async {
                let registers = call.path.plain() == REGISTER;
                let _alone = if registers { http.inner.gates.alone.acquire().await.ok() } else { None };
                http.send(&call, limit).await
            };
            let answer = tokio::select! {
                answer = work => answer,
                () = http.inner.leaving.cancelled() => Err(http.inner.back.closed(call.operation)),
            };
            drop(turn);
            // Nobody may wait any more.
            drop(tell.send(answer));
        });
        hear.await.unwrap_or_else(|_| Err(self.inner.back.closed(operation)))
    }

    /// Waits until nothing of this key is under way.
    pub(crate) async fn still(&self, key: &str) {
        drop(self.inner.gates.of(key).lock_owned().await);
    }
}
