//! A write, until a consistent read of the catalog shows it.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use reception_core::{OnConflict, Result, Service, Status};
use reception_kit::Attempt;
use uuid::Uuid;

use super::{OPERATION, Place};
use crate::{
    api::{Held, Stored},
    layout::{
        OWNER, instance_parts, is_maintenance, liveness_check, owner_of_check, registration_of, status_check,
    },
    options::Check,
    session::{Holder, is_checked},
};

/// Between two looks at the catalog, growing.
const LOOK: Duration = Duration::from_millis(4);
const LONGEST_LOOK: Duration = Duration::from_millis(200);
/// So many looks that do not show it, and others are looked for.
const OTHERS: u32 = 4;
/// How long one that claims together with others waits for them to leave.
const RIVALS: Duration = Duration::from_secs(1);

impl Place {
    /// Claims the id, or brings our record to what is wanted.
    pub(super) async fn settle(&mut self, service: &Service, attempt: Attempt) -> Result<()> {
        self.session.check_place(OPERATION).await?;
        // It is needed to see what was written: who may not ask for it is refused before anything is.
        self.session.node(OPERATION).await?;
        let held = self.session.http.agent_health(OPERATION, &self.id, self.session.timeout()).await?;
        let holder = self.holder(held.as_ref());
        let seizes = attempt == Attempt::First(OnConflict::Replace);
        if holder == Holder::Another && !seizes {
            return Err(self.conflict());
        }
        // A claim that may meet others must not take their checks away: it is by them that it sees them.
        let fresh = matches!(attempt, Attempt::First(_)) && holder != Holder::Us && !seizes;
        let mut alias = self.put(service).await?;
        let mut left = held;
        if fresh {
            let (met, now) = self.meet().await?;
            if met || holder == Holder::Dead {
                alias = self.put(service).await?;
                left = now;
            }
        }
        self.clear(service, alias, left.as_ref(), seizes).await?;
        self.read_back(service, alias).await
    }

    /// The checks that belong to our record.
    fn checks(&self, service: &Service, alias: bool) -> Vec<String> {
        let mut checks = Vec::new();
        checks.extend((self.session.options.check != Check::None).then(|| liveness_check(self.owner, alias)));
        checks.extend((service.status() != Status::Up).then(|| status_check(self.owner)));
        checks
    }

    /// Takes checks away that were there before a write of ours: of a status that is stated no more, of another way to be seen alive, of owners that are gone;
    /// with `all` everybody's. An operator's maintenance stays, whatever is written.
    async fn clear(&self, service: &Service, alias: bool, left: Option<&Held>, all: bool) -> Result<()> {
        let belongs = self.checks(service, alias);
        let tied = liveness_check(self.owner, true);
        for (check, _) in left.iter().flat_map(|held| held.checks()) {
            if is_maintenance(check) || belongs.iter().any(|own| own == check) {
                continue;
            }
            let limit = self.session.timeout();
            if check == tied {
                self.session.heart.untie(&self.session, self.owner).await?;
            } else if all || registration_of(check).is_some() {
                self.session.http.agent_deregister_check(OPERATION, check, limit).await?;
            }
        }
        Ok(())
    }

    /// Lets those who claim the id at the same moment leave, or leaves. Whether there were any, and what stands there after.
    async fn meet(&mut self) -> Result<(bool, Option<Held>)> {
        let (begun, mut pause, mut met) = (tokio::time::Instant::now(), LOOK, false);
        loop {
            let limit = self.session.timeout();
            let held = self.session.http.agent_health(OPERATION, &self.id, limit).await?;
            let rivals: Vec<Uuid> = held
                .iter()
                .flat_map(Held::checks)
                .filter(|(_, status)| *status != "critical")
                .filter_map(|(check, _)| owner_of_check(check).filter(|owner| *owner != self.owner))
                .collect();
            if rivals.is_empty() {
                let theirs = held.as_ref().is_some_and(|held| held.meta(OWNER) != Some(&self.mark));
                return Ok((met || theirs, held));
            }
            met = true;
            if rivals.iter().any(|rival| *rival < self.owner) || begun.elapsed() > RIVALS {
                // What is left is withdrawn by the keeper, if this cannot be.
                drop(self.remove().await);
                return Err(self.conflict());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    /// Waits until the catalog has what we wrote.
    async fn read_back(&mut self, service: &Service, alias: bool) -> Result<()> {
        let session = Arc::clone(&self.session);
        let node = session.node(OPERATION).await?;
        let wanted = instance_parts(&session.names, service, &self.mark)?;
        let (mut pause, mut alias) = (LOOK, alias);
        for turn in 1_u32.. {
            let checks = self.checks(service, alias);
            let limit = session.timeout();
            let stored = session.http.stored(OPERATION, &node, &self.id, &checks, limit).await?;
            if stored.is_some_and(|stored| shows(&stored, service, &wanted)) {
                return Ok(());
            }
            // The second registration of a client moves the first one to an alias.
            alias = session.options.check == Check::Ttl && !alias;
            if turn.is_multiple_of(OTHERS) && self.is_overwritten().await? {
                alias = self.put(service).await?;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
        Ok(())
    }

    /// Whether one that claimed the id after us wrote over our record and has left. It sees our check and leaves; who has taken that away has taken the id.
    async fn is_overwritten(&self) -> Result<bool> {
        let held = self.session.http.agent_health(OPERATION, &self.id, self.session.timeout()).await?;
        let Some(held) = held else { return Ok(false) };
        let checked = self.session.options.check == Check::None || is_checked(&held, self.owner);
        match self.holder(Some(&held)) {
            Holder::Another if !checked || self.session.options.check == Check::None => Err(self.conflict()),
            Holder::Us => Ok(held.meta(OWNER) != Some(&self.mark)),
            _ => Ok(false),
        }
    }
}

fn shows(stored: &Stored, service: &Service, (tags, meta): &(Vec<String>, Vec<(String, String)>)) -> bool {
    let port = service.port().map_or(0, NonZeroU16::get);
    let found = stored.meta.iter().flatten();
    stored.address == service.address()
        && stored.port == i64::from(port)
        && stored.tags.iter().flatten().eq(tags)
        && found.eq(meta.iter().map(|(key, value)| (key, value)))
}
