//! A write, until a consistent read of the catalog shows it.

use std::time::Duration;

use reception_core::{OnConflict, Result, Service};
use reception_kit::Attempt;
use uuid::Uuid;

use super::{Holder, OPERATION, Place};
use crate::{
    api::{Row, place},
    error::nonsense,
    layout::{OWNER, STATED, STATUS, decode, liveness_check, owner_of_check, stated as stated_status},
    options::Check,
};

/// Between two looks at the catalog, growing.
const LOOK: Duration = Duration::from_millis(4);
const LONGEST_LOOK: Duration = Duration::from_millis(100);
/// How long one that claims together with others waits for them to leave.
const RIVALS: Duration = Duration::from_secs(1);

/// What the catalog shows.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Not what we wrote, yet.
    Behind,
    /// What we wrote, and nobody else.
    Ours,
    /// Our check, and the checks of others that claim the id.
    Rivals(Vec<Uuid>),
    /// Our check alone, on a record that one of those wrote.
    Overwritten,
    /// It stands at another node, and stood there before.
    Elsewhere,
}

impl Place {
    /// Claims the id, or brings our record to what is wanted.
    pub(super) async fn settle(&mut self, service: &Service, attempt: Attempt) -> Result<()> {
        let held = self.session.http.agent_health(OPERATION, &self.id, self.session.timeout()).await?;
        let holder = self.holder(held.as_ref());
        let seizes = attempt == Attempt::First(OnConflict::Replace);
        if holder == Holder::Another && !seizes {
            return Err(self.conflict());
        }
        // A claim that may meet others must not take their checks away: it is by them that it sees them.
        let fresh = matches!(attempt, Attempt::First(_)) && holder != Holder::Us && !seizes;
        self.put(service, !fresh).await?;
        self.read_back(service, fresh).await?;
        if fresh && holder == Holder::Dead {
            // Its checks are ours to remove by now.
            self.put(service, true).await?;
            self.read_back(service, false).await?;
        }
        Ok(())
    }

    async fn read_back(&mut self, service: &Service, fresh: bool) -> Result<()> {
        let begun = tokio::time::Instant::now();
        let mut pause = LOOK;
        loop {
            match self.look(service).await? {
                Seen::Ours => return Ok(()),
                Seen::Elsewhere => return Err(self.lose().await),
                Seen::Rivals(rivals) if fresh => {
                    if rivals.iter().any(|rival| *rival < self.owner) || begun.elapsed() > RIVALS {
                        return Err(self.lose().await);
                    }
                }
                Seen::Rivals(_) => self.put(service, true).await?,
                Seen::Overwritten if fresh => self.put(service, true).await?,
                Seen::Overwritten => return Err(self.conflict()),
                Seen::Behind => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    /// Leaves the id to another who claimed it.
    async fn lose(&mut self) -> reception_core::Error {
        // What is left is withdrawn by the keeper, if this cannot be.
        drop(self.remove().await);
        self.conflict()
    }

    async fn look(&self, service: &Service) -> Result<Seen> {
        let session = &self.session;
        let filter = format!("Service.ID == \"{}\"", self.id);
        let how = |path: crate::http::Path| path.with("filter", &filter).flag("consistent");
        let answer = session.http.health(OPERATION, &self.service, how, session.timeout()).await?;
        let rows: Option<Vec<Row<'_>>> = serde_json::from_slice(&answer.body)
            .map_err(|wrong| nonsense(OPERATION, "reading back", place(&wrong)))?;
        let rows = rows.unwrap_or_default();
        let mark = |row: &Row<'_>| row.service.meta.as_ref().and_then(|meta| meta.get(OWNER)).cloned();
        let is_ours = |row: &&Row<'_>| {
            let own_check = liveness_check(self.owner);
            mark(row).as_deref() == Some(&self.mark) || row.checks.iter().flatten().any(|check| check.id == own_check)
        };
        let Some(row) = rows.iter().find(is_ours) else { return Ok(Seen::Behind) };
        let elsewhere = rows.iter().any(|other| {
            let alive = other.checks.iter().flatten().all(|check| check.status != "critical");
            let before = other.service.created < row.service.created;
            other.node.name != row.node.name && mark(other).is_some() && alive && before && !self.claimed
        });
        if elsewhere {
            return Ok(Seen::Elsewhere);
        }
        let alive = row.checks.iter().flatten().filter(|check| check.status != "critical");
        let rivals: Vec<Uuid> =
            alive.filter_map(|check| owner_of_check(&check.id)).filter(|owner| *owner != self.owner).collect();
        if !rivals.is_empty() {
            return Ok(Seen::Rivals(rivals));
        }
        if mark(row).as_deref() != Some(&self.mark) {
            return Ok(Seen::Overwritten);
        }
        let checked = session.options.check == Check::None
            || row.checks.iter().flatten().any(|check| check.id == liveness_check(self.owner));
        let stated = row.service.meta.as_ref().and_then(|meta| meta.get(STATUS)).map(String::as_str);
        let said = row.checks.iter().flatten().any(|check| check.id.starts_with(STATED));
        let wanted = stated_status(service.status());
        // Whether it is healthy is not ours to say, only what we stated of it.
        let shows = decode(&session.names, service.name(), row)
            .and_then(|decoded| decoded.service.ok())
            .is_some_and(|found| same(&found, service) && stated == wanted && said == wanted.is_some());
        Ok(if shows && checked { Seen::Ours } else { Seen::Behind })
    }
}

fn same(found: &Service, wanted: &Service) -> bool {
    let address = found.address() == wanted.address() && found.port() == wanted.port();
    address && found.attributes().eq(wanted.attributes())
}
