//! Who holds an id at our agent, and how a registration leaves it.

use std::time::Duration;

use reception_core::Result;
use uuid::Uuid;

use super::Session;
use crate::{
    api::Held,
    layout::{OWNER, owner_mark, owner_of_check, owner_of_mark, registration_of},
};

/// Who holds an id at our agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Nobody,
    Us,
    /// Somebody whose check has failed.
    Dead,
    Another,
}

impl Holder {
    /// By what our agent tells, for the registration with this mark.
    pub(crate) fn of(held: Option<&Held>, owner: Uuid, mark: &str) -> Self {
        let Some(held) = held else { return Self::Nobody };
        let Some(found) = held.meta(OWNER) else { return Self::Another };
        if found == mark {
            return Self::Us;
        }
        let check = owner_of_mark(found).and_then(|other| {
            held.checks().find(|(id, _)| owner_of_check(id) == Some(other)).map(|(_, status)| status)
        });
        match check {
            Some("critical") => Self::Dead,
            // One that claimed the id together with us has left, and its record stayed.
            None if is_checked(held, owner) => Self::Us,
            // With check=none nobody can tell that it is dead.
            _ => Self::Another,
        }
    }
}

/// Whether a check of this registration hangs on the record.
pub(crate) fn is_checked(held: &Held, owner: Uuid) -> bool {
    held.checks().any(|(id, _)| owner_of_check(id) == Some(owner))
}

impl Session {
    /// Takes away what a registration has at an id: the record, or only its checks where that is another's or somebody claims it together with us. Those
    /// would take the other down when nobody passes them any more.
    pub(crate) async fn leave_id(
        &self,
        operation: &'static str,
        id: &str,
        owner: Uuid,
        limit: Duration,
    ) -> Result<()> {
        let Some(held) = self.http.agent_health(operation, id, limit).await? else { return Ok(()) };
        let others = held.checks().any(|(check, status)| {
            status != "critical" && owner_of_check(check).is_some_and(|other| other != owner)
        });
        let holder = Holder::of(Some(&held), owner, &owner_mark(self.client, owner));
        if holder == Holder::Us && !others {
            return self.http.agent_deregister(operation, id, limit).await;
        }
        for (check, _) in held.checks().filter(|(check, _)| registration_of(check) == Some(owner)) {
            self.http.agent_deregister_check(operation, check, limit).await?;
        }
        Ok(())
    }
}
