//! Withdrawing: only what is ours is removed.

use std::{sync::Arc, time::Duration};

use reception_core::Result;

use super::Place;
use crate::{
    layout::{OWNER, liveness_check, owner_of_check},
    session::is_checked,
};

const OPERATION: &str = "close";
const LOOK: Duration = Duration::from_millis(4);
/// So many looks that show it, and others are looked for.
const OTHERS: u32 = 4;
const LONGEST_LOOK: Duration = Duration::from_millis(200);

impl Place {
    /// Leaves the id to another one, whose record our check would take down when nobody passes it any more.
    pub(super) async fn step_aside(&mut self) {
        if self.written {
            let limit = self.session.timeout();
            // What cannot be done now nobody does later: the agent itself said who holds the id a moment ago.
            drop(tokio::time::timeout(limit, self.remove()).await);
        }
    }

    /// Removes what we wrote, and sees that it is gone.
    pub(super) async fn remove(&mut self) -> Result<()> {
        let session = Arc::clone(&self.session);
        session.lines.settle(self.owner, None);
        let limit = session.timeout();
        // Nobody ties it to another check from now on, and a write of ours may be under way.
        session.heart.quit(self.owner).await;
        session.http.still(&self.id).await;
        session.leave_id(OPERATION, &self.id, self.owner, limit).await?;
        session.heart.leave(&session, self.owner).await?;
        self.see_gone().await?;
        self.written = false;
        Ok(())
    }

    /// Waits until the catalog does not have it as ours any more.
    async fn see_gone(&self) -> Result<()> {
        let session = &self.session;
        let node = session.node(OPERATION).await?;
        let mut pause = LOOK;
        for turn in 1_u32.. {
            let stored = session.http.stored(OPERATION, &node, &self.id, &[], session.timeout()).await?;
            let ours = stored.is_some_and(|stored| {
                stored.meta.as_ref().and_then(|meta| meta.get(OWNER)).is_some_and(|mark| *mark == self.mark)
            });
            if !ours || (turn.is_multiple_of(OTHERS) && self.is_shared(&node).await?) {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
        Ok(())
    }

    /// Whether our record is another's by now, who has not written over it yet: our check is not at it any more.
    async fn is_shared(&self, node: &str) -> Result<bool> {
        let session = &self.session;
        let held = session.http.agent_health(OPERATION, &self.id, session.timeout()).await?;
        let Some(held) = held else { return Ok(false) };
        if is_checked(&held, self.owner) || !held.checks().any(|(id, _)| owner_of_check(id).is_some()) {
            return Ok(false);
        }
        for alias in [false, true] {
            let check = [liveness_check(self.owner, alias)];
            if session.http.stored(OPERATION, node, &self.id, &check, session.timeout()).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
