//! The one check that says that this process lives, however many instances it has registered.
//!
//! | registrations | who has the check |
//! |---|---|
//! | none | nobody |
//! | one | the instance itself: nothing else is in the catalogue |
//! | several | a service of our own; every instance has an alias check on it |
//!
//! The second registration moves the check. It stays there until the last one is gone.

mod anchor;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
};

use reception_core::Result;
use tokio::sync::{Mutex, MutexGuard, Notify};
use uuid::Uuid;

use super::Session;
use crate::{
    api::Held,
    error::passes,
    layout::{Liveness, OWNER, alias_check, liveness_check, owner_mark, registration_of},
};

const OPERATION: &str = "register";

/// Who has the check.
#[derive(Debug, Default)]
enum Mode {
    #[default]
    Idle,
    Own {
        owner: Uuid,
        /// What moves the instance to the service's check, once it was written.
        moved: Option<(String, Vec<u8>)>,
    },
    Shared {
        members: BTreeSet<Uuid>,
    },
}

/// The check of one client.
#[derive(Debug)]
pub(crate) struct Heart {
    mode: Mutex<Mode>,
    /// Someone has joined.
    pub(crate) joined: Notify,
    /// The service was written, or may have been.
    anchored: AtomicBool,
    /// Which token it was written with.
    turn: AtomicU64,
    /// There are several.
    several: Notify,
    service: String,
    check: String,
}

/// How a registration is tied to the check.
#[derive(Debug)]
pub(crate) enum Tie<'a> {
    /// It has the check itself. Nobody else joins while this is held.
    Own(Own<'a>),
    /// It is as healthy as this service.
    As(String),
}

#[derive(Debug)]
pub(crate) struct Own<'a>(MutexGuard<'a, Mode>);

impl Own<'_> {
    /// It was written; `moved` writes it as tied to the service.
    pub(crate) fn wrote(mut self, id: &str, body: Vec<u8>) {
        if let Mode::Own { moved, .. } = &mut *self.0 {
            *moved = Some((id.to_owned(), body));
        }
    }
}

impl Heart {
    pub(super) fn new(client: Uuid) -> Self {
        let client = client.simple();
        Self {
            mode: Mutex::default(),
            joined: Notify::new(),
            anchored: AtomicBool::new(false),
            turn: AtomicU64::new(0),
            several: Notify::new(),
            service: format!("reception-{client}-anchor"),
            check: format!("reception-anchor-{client}"),
        }
    }

    pub(crate) fn alias(&self) -> Liveness {
        Liveness::As(self.service.clone())
    }

    /// Ties a registration to the check.
    pub(crate) async fn join(&self, session: &Arc<Session>, who: Uuid) -> Result<Tie<'_>> {
        let mut mode = self.mode.lock().await;
        match &mut *mode {
            Mode::Idle => *mode = Mode::Own { owner: who, moved: None },
            Mode::Own { owner, .. } if *owner == who => {}
            // It has ended, and what was left of it nobody passes.
            Mode::Own { owner, .. } if !session.lines.has(*owner) => {
                *mode = Mode::Own { owner: who, moved: None };
            }
            Mode::Own { owner, moved } => {
                self.write(session, OPERATION).await?;
                // Kept until that is known: who fails here, or is dropped, leaves the first one with its check, and the next one moves it again.
                if let Some((id, body)) = moved.as_ref() {
                    self.tie(session, *owner, id, body).await?;
                }
                *mode = Mode::Shared { members: BTreeSet::from([*owner, who]) };
                self.several.notify_one();
            }
            Mode::Shared { members } => {
                members.insert(who);
            }
        }
        self.joined.notify_one();
        Ok(match &*mode {
            Mode::Shared { .. } => Tie::As(self.service.clone()),
            _ => Tie::Own(Own(mode)),
        })
    }

    /// Ties the first registration to the service's check.
    ///
    /// In one step: cut off between two it would hang on both checks, one of which nobody passes. But that step takes everybody's checks away, and it writes the
    /// record: where there are others' checks it takes two, and a record that is another's by now stays as it is, until its registration finds that out.
    async fn tie(&self, session: &Session, owner: Uuid, id: &str, body: &[u8]) -> Result<()> {
        let (http, limit) = (&session.http, session.timeout());
        let held = http.agent_health(OPERATION, id, limit).await?;
        let alone =
            held.iter().flat_map(Held::checks).all(|(check, _)| registration_of(check) == Some(owner));
        let (mark, own) = (owner_mark(session.client, owner), liveness_check(owner, false));
        let theirs = held.filter(|held| held.meta(OWNER) != Some(&mark));
        match theirs {
            None => {
                http.agent_register(OPERATION, id, body.to_vec(), alone, limit).await?;
                if alone {
                    return Ok(());
                }
            }
            Some(theirs) if theirs.checks().any(|(check, _)| check == own) => {
                let alias = liveness_check(owner, true);
                let body = alias_check(id, &alias, &self.service)?;
                match http.agent_check(OPERATION, id, body, limit).await {
                    // It is gone meanwhile, or not ours to touch.
                    Err(failed) if !passes(&failed) => return Ok(()),
                    written => written?,
                }
            }
            // Who has taken our check away has taken the id: a new one would say that it is still ours.
            Some(_) => return Ok(()),
        }
        http.agent_deregister_check(OPERATION, &own, limit).await
    }

    /// Takes the alias of a registration away that has the check itself, and was tied by somebody who then gave up.
    pub(crate) async fn untie(&self, session: &Arc<Session>, who: Uuid) -> Result<()> {
        let mode = self.mode.lock().await;
        if !matches!(&*mode, Mode::Own { owner, .. } if *owner == who) {
            return Ok(());
        }
        let check = liveness_check(who, true);
        session.http.agent_deregister_check(OPERATION, &check, session.timeout()).await
    }

    /// Passes the check of a registration no more that has it itself.
    pub(crate) async fn quit(&self, who: Uuid) {
        if let Mode::Own { owner, moved } = &mut *self.mode.lock().await
            && *owner == who
        {
            *moved = None;
        }
    }

    /// Unties a registration that is gone.
    pub(crate) async fn leave(&self, session: &Arc<Session>, who: Uuid) -> Result<()> {
        let mut mode = self.mode.lock().await;
        match &mut *mode {
            Mode::Own { owner, .. } if *owner == who => {
                self.remove_service(session).await?;
                *mode = Mode::Idle;
            }
            Mode::Shared { members } if members.contains(&who) => {
                // One that ended without a word is no member any more.
                if members.iter().any(|other| *other != who && session.lines.has(*other)) {
                    members.remove(&who);
                } else {
                    self.remove_service(session).await?;
                    *mode = Mode::Idle;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Unties all, of which nothing is left.
    pub(crate) async fn sweep(&self, session: &Arc<Session>) -> Result<()> {
        let mut mode = self.mode.lock().await;
        self.remove_service(session).await?;
        *mode = Mode::Idle;
        Ok(())
    }

    /// The check to pass, and whose it is.
    pub(crate) async fn check(&self) -> Option<(String, Option<Uuid>)> {
        match &*self.mode.lock().await {
            Mode::Idle => None,
            // Not written yet: there is nothing to pass.
            Mode::Own { moved: None, .. } => None,
            Mode::Own { owner, .. } => Some((liveness_check(*owner, false), Some(*owner))),
            Mode::Shared { .. } => Some((self.check.clone(), None)),
        }
    }

    /// Whether there is nobody who needs it.
    pub(crate) async fn is_idle(&self) -> bool {
        matches!(&*self.mode.lock().await, Mode::Idle)
    }

    /// Whether a service carries the check.
    pub(crate) async fn is_shared(&self) -> bool {
        self.while_shared().await.is_some()
    }

    /// If a service carries the check: nobody joins or leaves while this is held.
    async fn while_shared(&self) -> Option<MutexGuard<'_, Mode>> {
        let mode = self.mode.lock().await;
        matches!(&*mode, Mode::Shared { .. }).then_some(mode)
    }

    /// Waits until a service carries the check.
    pub(super) async fn shared(&self) {
        while !self.is_shared().await {
            self.several.notified().await;
        }
    }
}
