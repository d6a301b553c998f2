//! The check of elections: it stands while anybody of this client does, and its time to live is what a hand-over takes.
//!
//! It is apart from that of the registrations, so that a short pause of the process costs a leadership and not the instances. The moment
//! before the last pass that was acknowledged is what every leader's deadline is counted from.

mod pass;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use reception_core::Result;
use tokio::sync::{Mutex, Notify, watch};
use uuid::Uuid;

pub(super) use pass::pace;
pub(crate) use pass::{Pacer, Pass};

use super::Session;
use crate::{error::is_about_us, http::Hold, layout::session_service};

const OPERATION: &str = "elect";

/// Who stands.
#[derive(Debug)]
pub(crate) struct Standing {
    members: Mutex<Members>,
    changed: Notify,
    /// The last pass that was acknowledged.
    passed: watch::Sender<Option<Pass>>,
    /// Which token the check was written with.
    turn: AtomicU64,
    /// It is being written again.
    writing: AtomicBool,
    /// The locks that candidates of this client could stand for.
    admitted: std::sync::Mutex<BTreeSet<String>>,
    service: String,
    check: String,
}

#[derive(Debug, Default)]
struct Members {
    /// Each candidacy, and whether it leads.
    who: BTreeMap<Uuid, bool>,
    /// The check was written.
    checked: bool,
    /// It may have been.
    written: bool,
    /// As long as it stands.
    hold: Option<Hold>,
}

impl Standing {
    pub(super) fn new(client: Uuid) -> Self {
        let client = client.simple();
        Self {
            members: Mutex::default(),
            changed: Notify::new(),
            passed: watch::channel(None).0,
            turn: AtomicU64::new(0),
            writing: AtomicBool::new(false),
            admitted: std::sync::Mutex::default(),
            service: format!("reception-{client}-election"),
            check: format!("reception-election-{client}"),
        }
    }

    /// The check that sessions are bound to.
    pub(crate) fn check(&self) -> &str {
        &self.check
    }

    /// Lets a candidacy stand; again is fine.
    pub(crate) async fn join(&self, session: &Arc<Session>, who: Uuid) -> Result<Pacer> {
        session.find_home(OPERATION).await;
        session.check_place(OPERATION).await?;
        let mut members = self.members.lock().await;
        // Before the await: who is dropped there has to leave.
        members.who.entry(who).or_insert(false);
        if !members.checked {
            // A check that stood before has nothing to say of this one.
            self.passed.send_replace(None);
            members.hold.get_or_insert_with(|| session.http.hold());
            let before = std::mem::replace(&mut members.written, true);
            let outcome = self.write(session).await;
            members.written = before || !outcome.as_ref().is_err_and(is_about_us);
            outcome?;
            members.checked = true;
        }
        drop(members);
        self.changed.notify_one();
        Ok(Pacer { at: session.http.home(), passed: self.passed.subscribe() })
    }

    /// Says that it leads: the check is passed more often.
    pub(crate) async fn leads(&self, who: Uuid) {
        if let Some(leads) = self.members.lock().await.who.get_mut(&who) {
            *leads = true;
        }
        self.changed.notify_one();
    }

    pub(crate) async fn leave(&self, session: &Arc<Session>, who: Uuid) -> Result<()> {
        let mut members = self.members.lock().await;
        if members.who.len() == 1 && members.who.contains_key(&who) {
            // What was refused is not there, and who was refused may not take it away.
            if members.written {
                session.http.agent_deregister(OPERATION, &self.service, session.timeout()).await?;
            }
            (members.checked, members.written) = (false, false);
            members.hold = None;
            // The next pass is not due any more.
            self.changed.notify_one();
        }
        members.who.remove(&who);
        Ok(())
    }

    /// The service that carries the check, as long as anybody stands.
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// Another agent is the home now.
    pub(super) async fn moved(&self, session: &Arc<Session>) {
        let members = self.members.lock().await;
        if members.checked {
            self.passed.send_replace(None);
            // If it is not written now, the next pass does it.
            drop(self.write(session).await);
        }
    }

    /// Writes the check again when the token is another one, which the agent would tell the servers nothing without.
    ///
    /// Beside the passes, which it may not hold up: it waits its turn with all that is registered.
    async fn write_anew(&self, session: &Arc<Session>) {
        let turn = session.http.token_turn();
        let stands = self.members.lock().await.checked;
        if !stands || self.turn.load(Ordering::Acquire) >= turn || self.writing.swap(true, Ordering::AcqRel) {
            return;
        }
        let session = Arc::clone(session);
        Arc::clone(&session).go_on("token", async move {
            let standing = &session.standing;
            let written = standing.write(&session).await.is_ok();
            if written && !standing.members.lock().await.checked {
                // Nobody stands any more, and it may have come after its removal.
                let gone = session.http.agent_deregister(OPERATION, &standing.service, session.timeout());
                drop(gone.await);
            }
            standing.writing.store(false, Ordering::Release);
        });
    }

    /// Writes the check again, as long as anybody stands.
    pub(crate) async fn restore(&self, session: &Arc<Session>) -> Result<()> {
        let members = self.members.lock().await;
        if members.checked { self.write(session).await } else { Ok(()) }
    }

    fn admitted(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session was made and the lock was read: our token allows to stand for it.
    pub(crate) fn admit(&self, lock: &str) {
        self.admitted().insert(lock.to_owned());
    }

    /// The lock itself was refused: who may not take it stands in vain.
    pub(crate) fn dismiss(&self, lock: &str) {
        self.admitted().remove(lock);
    }

    /// Whether a candidate of this client could stand for it once.
    pub(crate) fn was_admitted(&self, lock: &str) -> bool {
        self.admitted().contains(lock)
    }

    async fn write(&self, session: &Arc<Session>) -> Result<()> {
        let options = &session.options;
        let body = session_service(
            &session.names,
            &self.service,
            &self.check,
            options.election_ttl,
            options.deregister_after,
        )?;
        let turn = session.http.token_turn();
        session.http.agent_register(OPERATION, &self.service, body, true, session.timeout()).await?;
        self.turn.store(turn, Ordering::Release);
        Ok(())
    }
}
