//! The grant of a candidate's lease: it runs in a task of its own and never ends unheard, since a revocation may overtake it.

use std::sync::Arc;

use reception_core::{ErrorKind, Result};
use tokio::sync::oneshot;

use super::{Candidacy, OPERATION};
use crate::{
    error::error,
    session::{Granted, Session, fresh_lease},
};

impl Candidacy {
    /// Grants the lease that is asked for, or waits for the grant under way. Cancel safe: the grant goes on.
    pub(super) async fn ask(&mut self) -> Result<(i64, Granted)> {
        let id = *self.asked.get_or_insert_with(fresh_lease);
        let session = &self.session;
        let answer = self.answer.get_or_insert_with(|| {
            let (sender, answer) = oneshot::channel();
            session.supervisor.spawn("candidate grant", grant(Arc::clone(session), id, sender));
            answer
        });
        let told = answer.await;
        self.answer = None;
        match told {
            Ok(granted) => granted.map(|granted| (id, granted)),
            Err(_) => Err(self.session.supervisor.closed(OPERATION)),
        }
    }

    /// Whether no grant is under way; one that is gets a little time, of which the revocation needs most.
    pub(super) async fn settled(&mut self) -> bool {
        if let Some(answer) = &mut self.answer {
            if tokio::time::timeout(self.session.timeout / 20, answer).await.is_err() {
                return false;
            }
            self.answer = None;
        }
        true
    }

    /// Leaves a grant under way to its task, which revokes it as soon as it is answered; false when it was answered already.
    pub(super) fn left_alone(&mut self) -> bool {
        let Some(mut answer) = self.answer.take() else { return true };
        answer.close();
        answer.try_recv().is_err()
    }
}

/// Grants a lease, and revokes it when nobody waits for the answer any more.
async fn grant(session: Arc<Session>, id: i64, answer: oneshot::Sender<Result<Granted>>) {
    let closing = session.supervisor.closing();
    let work = async {
        let granted = session.grant(OPERATION, id, session.brief()).await;
        if answer.send(granted).is_err() {
            let revoked = session.revoke("resign", id, session.brief()).await;
            if closing.is_cancelled() {
                session.parted(id, &revoked);
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = async { closing.cancelled().await; tokio::time::sleep(session.timeout).await } => {
            let unknown = error(ErrorKind::Timeout, OPERATION, format!("lease {id:x} may have been granted"));
            session.parted(id, &Err(unknown));
        }
    }
}
