//! Withdrawing: only what is ours is removed.

use reception_core::{Moment, Result};
use zookeeper_client as zk;

use super::{Place, Standing};
use crate::{
    error::{is_unclear, native},
    session::Live,
};

const OPERATION: &str = "close";

impl Place {
    /// Marks that we leave; false when a later registration of this client has the id.
    pub(super) fn leave(&self) -> bool {
        self.session.wanted.leave(&self.key, self.guid) || !self.session.wanted.has(&self.key)
    }

    /// Removes our record.
    pub(super) async fn remove(&mut self) -> Result<()> {
        let until = self.session.until();
        if self.prefix.is_some() && self.unsettled {
            self.sweep(until).await?;
        }
        loop {
            if self.prefix.is_some() && self.standing.is_none() {
                break;
            }
            let live = self.session.live(OPERATION, until).await?;
            let quiet = self.eye.as_mut().is_some_and(|eye| eye.session == live.id && eye.is_quiet());
            let known = self.standing.as_ref().filter(|standing| standing.session == live.id && quiet);
            // Nothing was seen of another owner: no need to look first.
            let version = match known.filter(|_| !self.unsettled && self.leave()) {
                Some(standing) => Some(standing.version),
                None => self.own_version(&live, until).await?,
            };
            let Some(version) = version else { break };
            // Nothing is awaited between the look whether we are alone and this: what a later registration sends comes after it.
            let removed = live.client.delete(&self.path, Some(version));
            match self.session.send(OPERATION, until, removed).await? {
                Ok(()) | Err(zk::Error::NoNode) => break,
                // Somebody wrote to it, or it is somebody else's by now.
                Err(zk::Error::BadVersion) => self.eye = None,
                Err(wrong) if is_unclear(&wrong) => self.wait().await,
                Err(wrong) => return Err(native(OPERATION, &format!("removing {}", self.path), wrong)),
            }
        }
        self.standing = None;
        self.unsettled = false;
        self.eye = None;
        Ok(())
    }

    /// The version of what stands there, if that is ours to remove.
    async fn own_version(&mut self, live: &Live, until: Moment) -> Result<Option<i32>> {
        let path = self.path.clone();
        let what = format!("looking at {path}");
        let look = |client: zk::Client| {
            let path = path.clone();
            async move { client.check_stat(&path).await }
        };
        let Some(stat) = self.session.read(OPERATION, until, &what, look).await? else { return Ok(None) };
        let owner = stat.ephemeral_owner;
        let of_client = owner != 0 && (owner == live.id || self.session.was_ours(owner));
        // A later registration may have taken our node over; then it has written to it.
        let as_left = |standing: &Standing| standing.is(&stat);
        let ours = of_client && (self.leave() || self.standing.as_ref().is_some_and(as_left));
        Ok(ours.then_some(stat.version))
    }

    async fn wait(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
