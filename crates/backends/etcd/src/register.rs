//! One registration: a record under the client's shared lease, written by transactions that may be sent twice.
//!
//! | what stands there | what is done |
//! |---|---|
//! | nothing | put, if nothing stands there and this registration is not fenced off |
//! | a record on a lease of this client | put, if it is still that one |
//! | a record of somebody else | Conflict; with `Replace` put, if it is still that one |
//!
//! A former life of this process is somebody else, one that is dying. A put over a known revision cannot land late, since the
//! revision has moved on then. A first put can: when its outcome is unknown, the withdrawal first writes a fence on the same lease.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use etcd_client::{PutOptions, Txn, TxnOp};
use reception_core::{Error, ErrorKind, OnConflict, Result, Service};
use reception_kit::{Attempt, News, Slot, record};
use uuid::Uuid;

use crate::{
    error::error,
    session::{Eye, Guard, Patience, Seat, Seen, Session, State, Write},
};

const OPERATION: &str = "register";
/// Rewrites in one go, each for a change between a read and a write.
const TRIES: u32 = 8;

/// The place of one registration in the store.
#[derive(Debug)]
pub(crate) struct Place {
    session: Arc<Session>,
    key: String,
    guid: Uuid,
    seat: Seat,
    /// The lease of the last write.
    lease: Option<i64>,
    /// The revision of our record as far as we know.
    standing: Option<i64>,
    /// The record as we know it: what somebody added to it stays when it is written again.
    stored: Vec<u8>,
    /// The lease of a first put that may still land.
    unsettled: Option<i64>,
    eye: Option<Eye>,
    /// Why the lease was in doubt last, until the record was looked at again.
    doubt: Option<Error>,
}

impl Place {
    /// Takes the id within this client.
    pub(crate) fn take(session: &Arc<Session>, service: &Service) -> Result<Self> {
        let key = session.layout.instance(service.name(), service.id());
        let guid = Uuid::new_v4();
        if !session.wanted.take(&key, guid) {
            let context = format!("{}/{} is registered by this client", service.name(), service.id());
            return Err(error(ErrorKind::Conflict, OPERATION, context));
        }
        Ok(Self {
            session: Arc::clone(session),
            key,
            guid,
            seat: Seat::take(session),
            lease: None,
            standing: None,
            stored: Vec::new(),
            unsettled: None,
            eye: None,
            doubt: None,
        })
    }

    fn gone(&self) -> String {
        self.session.layout.gone(&self.guid.simple().to_string())
    }

    fn ours(&self, lease: i64) -> bool {
        lease != 0 && (Some(lease) == self.lease || self.session.shards.owns(lease))
    }

    /// Brings the record to what is wanted, on this lease.
    async fn settle(
        &mut self,
        service: &Service,
        lease: i64,
        attempt: Attempt,
        patience: Patience,
    ) -> Result<()> {
        let mut guard = match (attempt, self.standing) {
            (Attempt::Repair, Some(_)) => Guard::Same,
            (_, Some(revision)) => Guard::At(revision),
            _ => Guard::Free,
        };
        for _ in 0..TRIES {
            let before = self.unsettled;
            if guard == Guard::Free {
                // Before the await: a future that is dropped there leaves a put on its way.
                self.unsettled = Some(lease);
            }
            let record = match guard {
                Guard::Free => record::encode(service)?,
                _ => record::encode_over(service, &self.stored)?,
            };
            let write = Write::put(&self.key, guard, record.clone(), lease, self.gone());
            let (loose, written) = self.session.write(OPERATION, patience, write).await;
            if !loose {
                self.unsettled = before;
            }
            let written = written?;
            if written.done {
                self.stands(written.found.map_or(written.revision, |kv| kv.mod_revision()), lease);
                self.stored = record;
                return Ok(());
            }
            if written.fenced {
                return Err(error(ErrorKind::Closed, OPERATION, format!("{} is withdrawn", self.key)));
            }
            guard = match written.found {
                None => Guard::Free,
                Some(kv) if self.ours(kv.lease()) => {
                    self.stored = kv.value().to_vec();
                    Guard::At(kv.mod_revision())
                }
                Some(kv) => {
                    self.stored = Vec::new();
                    self.contest(attempt, kv.mod_revision())?
                }
            };
        }
        Err(error(ErrorKind::Unavailable, OPERATION, format!("{} keeps changing", self.key)))
    }

    /// Somebody else holds the id.
    fn contest(&mut self, attempt: Attempt, revision: i64) -> Result<Guard> {
        if attempt == Attempt::First(OnConflict::Replace) {
            return Ok(Guard::At(revision));
        }
        self.standing = None;
        // Tells when the id is free.
        self.look_after(revision);
        Err(self.conflict())
    }

    fn conflict(&self) -> Error {
        error(ErrorKind::Conflict, OPERATION, format!("another owner holds {}", self.key))
    }

    fn stands(&mut self, revision: i64, lease: i64) {
        self.standing = Some(revision);
        self.lease = Some(lease);
        self.doubt = None;
        self.seat.proven(lease);
        self.look_after(revision);
        if let Some(eye) = &self.eye {
            eye.rests_on(lease);
        }
    }

    /// Looks at the key from the record of this revision on.
    fn look_after(&mut self, revision: i64) {
        match &self.eye {
            Some(eye) if eye.covers(revision) => return,
            // What this client withdrew may be there again as well.
            Some(_) => self.session.lookout.set_back(),
            None => {}
        }
        self.eye = Some(Eye::open(&self.session, &self.key, revision + 1));
    }

    fn seen(&mut self, seen: Seen) -> Option<News> {
        let Some(standing) = self.standing else {
            return matches!(seen, Seen::Gone { .. } | Seen::Unsure(_)).then_some(News::Healthy);
        };
        match seen {
            Seen::Put { revision, .. } | Seen::Gone { revision } if revision <= standing => None,
            // Somebody added to it. The old revision stays known, so that the next write fails and reads what is there now.
            Seen::Put { lease, .. } if self.ours(lease) => None,
            Seen::Put { .. } => {
                self.standing = None;
                Some(News::Taken(self.conflict()))
            }
            Seen::Gone { .. } => {
                self.standing = None;
                Some(News::Lost(error(ErrorKind::LeaseLost, OPERATION, format!("{} was removed", self.key))))
            }
            Seen::Unsure(error) => Some(News::Lost(error)),
        }
    }

    fn lease_is(&mut self, state: State) -> Option<News> {
        // While an id is waited for nothing of ours is on the lease.
        self.standing?;
        match state {
            State::Held { lease, .. } if Some(lease) != self.lease => {
                Some(News::Lost(error(ErrorKind::LeaseLost, OPERATION, "the lease was replaced")))
            }
            State::Held { doubt: Some(error), .. } | State::Refused(error) => {
                self.doubt = Some(error.clone());
                Some(News::Doubtful(error))
            }
            // The lease stands. Whether the record does the watch on it may not have told yet, so it is looked at.
            State::Held { doubt: None, .. } => self.doubt.take().map(News::Lost),
            State::Lost(error) => Some(News::Lost(error)),
            State::Wanted | State::Ended(_) => None,
        }
    }

    /// Writes the fence: no first put of this registration can land from now on.
    async fn fence(&mut self) -> Result<()> {
        let Some(lease) = self.unsettled else { return Ok(()) };
        let put = TxnOp::put(self.gone(), "", Some(PutOptions::new().with_lease(lease)));
        match self.session.txn("close", self.session.brief(), Txn::new().and_then([put])).await {
            // Without its lease the put cannot land either.
            Err(error) if error.kind() != ErrorKind::LeaseLost => Err(error),
            _ => {
                self.unsettled = None;
                Ok(())
            }
        }
    }

    async fn remove(&mut self, alone: bool) -> Result<()> {
        let key = self.key.clone();
        let mut revision = self.standing.unwrap_or(0);
        for _ in 0..TRIES {
            let write = Write::delete(&key, revision);
            let written = self.session.write("close", self.session.brief(), write).await.1?;
            match written.found {
                Some(kv) if !written.done && alone && self.ours(kv.lease()) => {
                    revision = kv.mod_revision();
                }
                _ => {
                    self.standing = None;
                    return Ok(());
                }
            }
        }
        Err(error(ErrorKind::Unavailable, "close", format!("{key} keeps changing")))
    }
}

impl Slot for Place {
    async fn write(&mut self, service: &Service, attempt: Attempt) -> Result<()> {
        let patience = match attempt {
            Attempt::Repair => self.session.brief(),
            _ => self.session.patient(),
        };
        let mut refused = None;
        for _ in 0..3 {
            let lease = self.seat.lease(refused).await?;
            match self.settle(service, lease, attempt, patience).await {
                Err(error) if error.kind() == ErrorKind::LeaseLost => {
                    self.seat.suspect();
                    self.unsettled = None;
                    refused = Some(lease);
                }
                settled => return settled,
            }
        }
        Err(error(ErrorKind::LeaseLost, OPERATION, "the leases do not last"))
    }

    async fn withdraw(&mut self) -> Result<()> {
        let alone = self.session.wanted.leave(&self.key, self.guid);
        if self.standing.is_none() && self.unsettled.is_none() {
            return Ok(());
        }
        // A closing client revokes the lease: one call for all records on it, and no put on it can land after.
        if self.session.supervisor.is_closed() && self.seat.revoked().await.is_ok() {
            return Ok(());
        }
        self.fence().await?;
        self.remove(alone).await
    }

    async fn news(&mut self) -> News {
        loop {
            let news = match &mut self.eye {
                Some(eye) => tokio::select! {
                    seen = eye.next() => self.seen(seen),
                    state = self.seat.news() => self.lease_is(state),
                },
                None => {
                    let state = self.seat.news().await;
                    self.lease_is(state)
                }
            };
            if let Some(news) = news {
                return news;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.session.wanted.forget(&self.key, self.guid);
    }
}
