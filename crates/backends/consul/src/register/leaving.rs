//! Withdrawing: only what is ours is removed.

use std::{sync::Arc, time::Duration};

use reception_core::Result;

use super::{Holder, Place};
use crate::{
    api::{Row, place},
    error::nonsense,
    http::Path,
    layout::{OWNER, liveness_check, owner_of_check},
};

const OPERATION: &str = "close";
const LOOK: Duration = Duration::from_millis(4);
const LONGEST_LOOK: Duration = Duration::from_millis(100);

impl Place {
    /// Removes what we wrote, and sees that it is gone.
    pub(super) async fn remove(&mut self) -> Result<()> {
        let session = Arc::clone(&self.session);
        session.lines.settle(self.owner, None);
        let limit = session.timeout();
        let check = liveness_check(self.owner);
        if let Some(held) = session.http.agent_health(OPERATION, &self.id, limit).await? {
            let others = held.checks().any(|(id, status)| {
                status != "critical" && owner_of_check(id).is_some_and(|owner| owner != self.owner)
            });
            match self.holder(Some(&held)) {
                // One that claims the id together with us writes the record anew.
                Holder::Us if !others => session.http.agent_deregister(OPERATION, &self.id, limit).await?,
                _ if self.is_checked(&held) => session.http.agent_deregister_check(OPERATION, &check, limit).await?,
                _ => {}
            }
        }
        session.heart.leave(&session, self.owner).await?;
        self.see_gone(&check).await?;
        self.written = false;
        Ok(())
    }

    async fn see_gone(&self, check: &str) -> Result<()> {
        let filter = format!("Service.ID == \"{}\"", self.id);
        let mut pause = LOOK;
        loop {
            let how = |path: Path| path.with("filter", &filter).flag("consistent");
            let answer = self.session.http.health(OPERATION, &self.service, how, self.session.timeout()).await?;
            let rows: Option<Vec<Row<'_>>> = serde_json::from_slice(&answer.body)
                .map_err(|wrong| nonsense(OPERATION, "reading back", place(&wrong)))?;
            let stands = rows.iter().flatten().any(|row| {
                let mark = row.service.meta.as_ref().and_then(|meta| meta.get(OWNER));
                let others = row.checks.iter().flatten().filter_map(|check| owner_of_check(&check.id));
                let shared = others.into_iter().any(|owner| owner != self.owner);
                let ours = mark.is_some_and(|mark| *mark == self.mark) && !shared;
                ours || row.checks.iter().flatten().any(|other| other.id == check)
            });
            if !stands {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }
}
