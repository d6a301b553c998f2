//! The one check that says that this process lives, however many instances it has registered.
//!
//! | registrations | who has the check |
//! |---|---|
//! | none | nobody |
//! | one | the instance itself: nothing else is in the catalogue |
//! | several | a service of our own; every instance has an alias check on it |
//!
//! The second registration moves the check. It stays there until the last one is gone.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use reception_core::Result;
use tokio::sync::{Mutex, MutexGuard, Notify};
use uuid::Uuid;

use super::Session;
use crate::{
    api::Passed,
    layout::{Liveness, is_maintenance, liveness_check, session_service, wake_check},
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
            Mode::Own { owner, moved } => {
                self.write(session, OPERATION).await?;
                // Kept until that is known: who fails here, or is dropped, leaves the first one with its check, and the next one moves it again.
                if let Some((id, body)) = moved.as_ref() {
                    // In one step: cut off between two it would hang on both checks, one of which nobody passes. But that step takes an operator's maintenance away.
                    let (http, limit) = (&session.http, session.timeout());
                    let held = http.agent_health(OPERATION, id, limit).await?;
                    let kept = held.is_some_and(|held| held.checks().any(|(check, _)| is_maintenance(check)));
                    http.agent_register(OPERATION, id, body.clone(), !kept, limit).await?;
                    if kept {
                        let check = liveness_check(*owner, false);
                        http.agent_deregister_check(OPERATION, &check, limit).await?;
                    }
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
            Mode::Shared { members } if members.len() == 1 && members.contains(&who) => {
                self.remove_service(session).await?;
                *mode = Mode::Idle;
            }
            Mode::Shared { members } => {
                members.remove(&who);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the service away, if it was written: also for one that could not join then.
    async fn remove_service(&self, session: &Arc<Session>) -> Result<()> {
        if self.anchored.load(Ordering::Acquire) {
            session.http.agent_deregister("close", &self.service, session.timeout()).await?;
            self.anchored.store(false, Ordering::Release);
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

    /// The service that carries the check of several.
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// Another agent is the home now.
    pub(super) async fn moved(&self, session: &Arc<Session>) {
        let mode = self.mode.lock().await;
        if matches!(&*mode, Mode::Shared { .. }) {
            // If it is not written now, the next pass does it.
            drop(self.write(session, OPERATION).await);
        }
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
        matches!(&*self.mode.lock().await, Mode::Shared { .. })
    }

    /// Waits until a service carries the check.
    pub(super) async fn shared(&self) {
        while !self.is_shared().await {
            self.several.notified().await;
        }
    }

    /// Whether a service was written with an older token.
    pub(super) fn is_older(&self, turn: u64) -> bool {
        self.anchored.load(Ordering::Acquire) && self.turn.load(Ordering::Acquire) < turn
    }

    /// Writes that service again, which the agent does not have; nobody joins or leaves meanwhile.
    pub(super) async fn restore(&self, session: &Arc<Session>, operation: &'static str) -> Result<()> {
        let mode = self.mode.lock().await;
        match &*mode {
            Mode::Shared { .. } => self.write(session, operation).await,
            _ => Ok(()),
        }
    }

    /// Passes its check, and writes it again if the agent does not have it.
    pub(super) async fn ensure(&self, session: &Arc<Session>, operation: &'static str) -> Result<()> {
        let mode = self.mode.lock().await;
        if !matches!(&*mode, Mode::Shared { .. }) {
            return Ok(());
        }
        match session.http.agent_pass(operation, &self.check, false, session.timeout()).await? {
            Passed::Yes => Ok(()),
            Passed::Unknown => self.write(session, operation).await,
        }
    }

    /// Has the agent look again at all that hangs on the service: it does when one of the service's checks goes away.
    pub(super) async fn wake(&self, session: &Arc<Session>, operation: &'static str) -> Result<()> {
        let mode = self.mode.lock().await;
        if !matches!(&*mode, Mode::Shared { .. }) {
            return Ok(());
        }
        let (check, limit) = (format!("{}-wake", self.check), session.timeout());
        let body = wake_check(&self.service, &check)?;
        let written = session.http.agent_check(operation, &check, body, limit).await;
        // Also when it is not known whether it was written: left behind it would be failed when the agent starts again.
        session.http.agent_deregister_check(operation, &check, limit).await?;
        written
    }

    /// Writes the service that carries the check.
    pub(crate) async fn write(&self, session: &Arc<Session>, operation: &'static str) -> Result<()> {
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
