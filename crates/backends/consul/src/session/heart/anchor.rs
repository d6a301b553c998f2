//! The service that carries the check of several registrations.

use std::sync::{Arc, atomic::Ordering};

use reception_core::Result;

use super::{Heart, OPERATION};
use crate::{
    api::Passed,
    layout::{session_service, wake_check},
    session::Session,
};

impl Heart {
    /// The service that carries the check of several.
    pub(in crate::session) fn service(&self) -> &str {
        &self.service
    }

    /// Another agent is the home now.
    pub(in crate::session) async fn moved(&self, session: &Arc<Session>) {
        if let Some(_shared) = self.while_shared().await {
            // If it is not written now, the next pass does it.
            drop(self.write(session, OPERATION).await);
        }
    }

    /// Takes the service away, if it was written: also for one that could not join then.
    pub(super) async fn remove_service(&self, session: &Arc<Session>) -> Result<()> {
        if self.anchored.load(Ordering::Acquire) {
            session.http.agent_deregister("close", &self.service, session.timeout()).await?;
            self.anchored.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Whether a service was written with an older token.
    pub(in crate::session) fn is_older(&self, turn: u64) -> bool {
        self.anchored.load(Ordering::Acquire) && self.turn.load(Ordering::Acquire) < turn
    }

    /// Writes that service again, which the agent does not have.
    pub(in crate::session) async fn restore(
        &self,
        session: &Arc<Session>,
        operation: &'static str,
    ) -> Result<()> {
        let Some(_shared) = self.while_shared().await else { return Ok(()) };
        self.write(session, operation).await
    }

    /// Passes its check, and writes it again if the agent does not have it.
    pub(in crate::session) async fn ensure(
        &self,
        session: &Arc<Session>,
        operation: &'static str,
    ) -> Result<()> {
        let Some(_shared) = self.while_shared().await else { return Ok(()) };
        match session.http.agent_pass(operation, &self.check, false, session.timeout()).await? {
            Passed::Yes => Ok(()),
            Passed::Unknown => self.write(session, operation).await,
        }
    }

    /// Has the agent look again at all that hangs on the service: it does when one of the service's checks goes away.
    pub(in crate::session) async fn wake(
        &self,
        session: &Arc<Session>,
        operation: &'static str,
    ) -> Result<()> {
        let Some(_shared) = self.while_shared().await else { return Ok(()) };
        let (check, limit) = (format!("{}-wake", self.check), session.timeout());
        let body = wake_check(&self.service, &check)?;
        let written = session.http.agent_check(operation, &check, body, limit).await;
        // Also when it is not known whether it was written: left behind it would be failed when the agent starts again.
        session.http.agent_deregister_check(operation, &check, limit).await?;
        written
    }

    /// Writes the service that carries the check.
    pub(super) async fn write(&self, session: &Arc<Session>, operation: &'static str) -> Result<()> {
        let options = &session.options;
        let body = session_service(
            &session.names,
            &self.service,
            &self.check,
            options.ttl,
            options.deregister_after,
        )?;
        // Before the await: a future that is dropped there leaves a write on its way.
        self.anchored.store(true, Ordering::Release);
        let turn = session.http.token_turn();
        session.http.agent_register(operation, &self.service, body, true, session.timeout()).await?;
        self.turn.store(turn, Ordering::Release);
        // An agent that restarts knows of a check that was passed once; any other one begins as failed, and all that hangs on it.
        drop(session.http.agent_pass(operation, &self.check, false, session.timeout()).await);
        Ok(())
    }
}
