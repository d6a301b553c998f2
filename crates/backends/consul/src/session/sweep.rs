//! What a closing client has registered, withdrawn together: one question what there is, one request for each, and one look that all is gone.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reception_core::Result;
use tokio::sync::Mutex;

use super::{
    Session, WRITES,
    keep::{marked, ours},
};
use crate::{
    api::{Found, parse},
    http::{Call, Path},
};

const OPERATION: &str = "close";
const LOOK: std::time::Duration = std::time::Duration::from_millis(10);

/// Done once for all that wait for it.
#[derive(Debug, Default)]
pub(crate) struct Sweep(Mutex<bool>);

impl Sweep {
    /// Withdraws every registration of a client that closes.
    pub(crate) async fn all(&self, session: &Arc<Session>) -> Result<()> {
        let mut done = self.0.lock().await;
        if *done {
            return Ok(());
        }
        // Writes of ours may be under way.
        for id in session.lines.ids() {
            session.http.still(&id).await;
        }
        let limit = session.timeout();
        let path = Path::of("agent/services").with("filter", &ours(session));
        let answer = session.http.ask(&Call::get(OPERATION, path).own(), limit).await?;
        let found: std::collections::BTreeMap<String, Found> =
            parse(OPERATION, "listing what is ours", &answer.body)?;
        let marked = marked(session, found.into_values());
        stream::iter(marked.into_keys())
            .map(|id| async move { session.http.agent_deregister(OPERATION, &id, limit).await })
            .buffer_unordered(WRITES)
            .try_collect::<Vec<()>>()
            .await?;
        session.heart.sweep(session).await?;
        while !session.found(OPERATION).await?.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        *done = true;
        Ok(())
    }
}
