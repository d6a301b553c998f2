//! What a candidacy has at the store, and its withdrawal: one that could not be withdrawn in time goes on by itself, so that no session of it holds the
//! lock and no check of it is passed for nobody.

use std::sync::Arc;

use reception_core::{Error, ErrorKind, Moment, Result};
use reception_kit::Backoff;
use uuid::Uuid;

use crate::{
    error::{error, is_about_us},
    session::Session,
};

const OPERATION: &str = "elect";

/// Our session.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) id: String,
    /// The moment before the last renewal that was acknowledged.
    pub(super) renewed: Moment,
}

/// What may be at the store.
pub(super) struct Remains {
    session: Arc<Session>,
    pub(super) guid: Uuid,
    /// Tells the candidacy, so that a session is found whose answer was lost.
    pub(super) name: String,
    /// The key of the lock.
    pub(super) lock: String,
    /// A request of ours may have been carried out.
    pub(super) standing: bool,
    /// A session of ours may have been made.
    pub(super) unsettled: bool,
    pub(super) own: Option<Own>,
}

impl Remains {
    pub(super) fn new(session: &Arc<Session>, election: &str, lock: String) -> Self {
        let guid = Uuid::new_v4();
        let name = format!("reception {election} {}", guid.simple());
        Self { session: Arc::clone(session), guid, name, lock, standing: false, unsettled: false, own: None }
    }

    /// Ends our session, and with it the key that it holds: one request.
    pub(super) async fn end_session(&mut self) -> Result<()> {
        if let Some(own) = &self.own {
            self.session.http.session_destroy(OPERATION, &own.id, self.session.timeout()).await?;
            self.own = None;
        }
        Ok(())
    }

    /// Takes everything away; again goes on with what is left.
    pub(super) async fn withdraw(&mut self) -> Result<()> {
        self.end_session().await?;
        let (session, limit) = (&self.session, self.session.timeout());
        if self.unsettled {
            let node = session.node(OPERATION).await?;
            for id in session.http.sessions_named(OPERATION, &node, &self.name, limit).await? {
                session.http.session_destroy(OPERATION, &id, limit).await?;
            }
            self.unsettled = false;
        }
        session.standing.leave(session, self.guid).await?;
        self.standing = false;
        Ok(())
    }

    /// A refusal is no end for whoever could stand before: a file may tell another token, rights are given back, and an agent that starts without servers
    /// refuses what it cannot ask them about.
    pub(super) fn outlive(&self, failed: Error) -> Error {
        if !is_about_us(&failed) || !self.session.standing.was_admitted(&self.lock) {
            return failed;
        }
        let text = format!("{}; it was allowed before", failed.context());
        error(ErrorKind::Unavailable, OPERATION, text).with_source(failed)
    }

    async fn go_on(mut self) {
        let mut backoff = Backoff::new();
        while let Err(failed) = self.withdraw().await {
            tokio::time::sleep(backoff.next(&self.outlive(failed))).await;
        }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if !std::mem::take(&mut self.standing) {
            return;
        }
        // It does not stand by its own account: dropped unrun, it is not tried again.
        let rest = Self {
            session: Arc::clone(&self.session),
            guid: self.guid,
            name: std::mem::take(&mut self.name),
            lock: std::mem::take(&mut self.lock),
            standing: false,
            unsettled: self.unsettled,
            own: self.own.take(),
        };
        self.session.go_on("withdraw", rest.go_on());
    }
}
